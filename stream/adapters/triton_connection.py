"""One gRPC channel to a Triton server, and its failures as ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection
from typing import Any, TypeVar

import tritonclient.grpc.aio as triton
from tritonclient.utils import InferenceServerException

from stream.errors import InferenceRejected, InferenceUnavailable

Answer = TypeVar("Answer")

#: Off unless set. Pings go out only while a call waits: Triton hangs up on a client that pings
#: an idle connection. Reconnecting backs off to two minutes unless told otherwise.
_CHANNEL_OPTIONS = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_send_message_length", 64 * 1024 * 1024),
)


class TritonConnection:
    """Start and stop it in one event loop; building many leaks."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client: triton.InferenceServerClient | None = None

    async def start(self) -> None:
        """Open the channel; it connects with the first call."""
        self._client = triton.InferenceServerClient(self.url, channel_args=list(_CHANNEL_OPTIONS))

    async def stop(self) -> None:
        """Close the channel; calls in flight end with InferenceUnavailable."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    @property
    def client(self) -> Any:
        """Triton's own client; raises InferenceUnavailable before the start and after the stop."""
        if self._client is None:
            raise InferenceUnavailable(f"{self.url}: the client is not started")
        return self._client

    async def translated(
        self, name: str, call: Awaitable[Answer], *, refusals: Collection[str | None] = ()
    ) -> Answer:
        """Await *call*; its failures become ours, those of a status in *refusals* a rejection."""
        try:
            return await call
        except InferenceServerException as error:
            where = f"{name} at {self.url}: {error}"
            if error.status() in refusals:
                raise InferenceRejected(where) from error
            raise InferenceUnavailable(where) from error
        except asyncio.CancelledError as error:
            if _is_cancelled_from_outside():
                raise
            raise InferenceUnavailable(f"{name}: the client was stopped") from error


def _is_cancelled_from_outside() -> bool:
    """Closing a channel cancels its calls, which looks like a cancelled task but is none."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
