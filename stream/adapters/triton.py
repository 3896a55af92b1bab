"""The models on a Triton server, over gRPC: one client a process."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
import structlog
import tritonclient.grpc.aio as triton
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from stream.adapters.breaker import Breaker
from stream.adapters.guarded import Patience
from stream.adapters.guarded_server import GuardedServer
from stream.adapters.triton_tensors import check_model, to_inputs, to_outputs
from stream.errors import InferenceRejected, InferenceUnavailable
from stream.model_specs import MODELS, VOCABULARY, ModelSpec
from stream.ports import Tensors
from stream.telemetry import Telemetry

__all__ = ["Patience", "TritonModels"]

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")

#: The request is at fault, not the server; the model's own refusals have the first. Only of an
#: inference: a model that cannot be loaded answers INVALID_ARGUMENT as well.
_REFUSALS = frozenset({"StatusCode.INVALID_ARGUMENT", "StatusCode.OUT_OF_RANGE"})
#: Product ids an answer of the vocabulary.
_SPAN = 4096
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


class TritonModels:
    """Answers rows, and says what the server serves. Start and stop it in one event loop."""

    def __init__(
        self,
        url: str,
        *,
        patience: Patience | None = None,
        max_in_flight: int = 2,
        make_breaker: Callable[[], Breaker] | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._url = url
        self._patience = patience or Patience()
        self._calls = GuardedServer(
            [spec.name for spec in MODELS],
            self._patience,
            make_breaker or partial(Breaker, n_failures=3, reset_s=2.0),
            telemetry=telemetry or Telemetry(),
            max_in_flight=max_in_flight,
            ask=self._ask,
            probe=self._load_if_missing,
        )
        self._client: triton.InferenceServerClient | None = None
        self._loading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def start(self) -> None:
        """Open the channel; it connects with the first call."""
        self._client = triton.InferenceServerClient(self._url, channel_args=list(_CHANNEL_OPTIONS))

    async def stop(self) -> None:
        """Close the channel; calls in flight end with InferenceUnavailable."""
        await self._calls.stop()
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def infer(
        self, spec: ModelSpec, version: str, inputs: Tensors
    ) -> dict[str, NDArray[Any]]:
        """Return the output tensors of *version*, checked against *spec*; they are read-only.

        Raises:
            InferenceUnavailable: No usable answer within retries and deadline, or the breaker is
                open; the same request may succeed later.
            InferenceRejected: The server or the model refuses this request.
        """
        tensors, n_rows = to_inputs(spec, inputs)

        async def attempt(timeout_s: float) -> dict[str, NDArray[Any]]:
            client = self._connected
            call = client.infer(spec.name, tensors, model_version=version, client_timeout=timeout_s)
            answer = await self._translated(spec.name, call, refusals=_REFUSALS)
            return to_outputs(spec, answer, n_rows)

        return await self._calls.call(spec.name, attempt)

    async def check(self, specs: Sequence[ModelSpec]) -> None:
        """Compare the server's models with *specs*, after loading those that are not loaded.

        Raises:
            ModelMismatch: A model has other tensors; names it, what was expected and got.
            InferenceUnavailable: The server does not answer, or cannot load a model.
        """
        client, timeout_s = self._connected, self._patience.timeout_s
        for spec in specs:
            await self._load_if_missing(spec.name)
            metadata, config = await asyncio.gather(
                self._metadata(spec),
                self._translated(
                    spec.name, client.get_model_config(spec.name, client_timeout=timeout_s)
                ),
            )
            check_model(spec, metadata, config.config)

    async def newest_version(self, spec: ModelSpec) -> str:
        """Return the newest version of a model that is ready.

        Raises:
            InferenceUnavailable: None is, or the server does not answer.
        """
        metadata = await self._metadata(spec)
        if not metadata.versions:
            raise InferenceUnavailable(f"{spec.name} at {self._url}: no version is ready")
        return str(max(metadata.versions, key=int))

    async def is_ready(self, spec: ModelSpec, version: str) -> bool:
        """Return whether *version* of a model is served.

        Raises:
            InferenceUnavailable: The server does not answer.
        """
        call = self._connected.is_model_ready(
            spec.name, version, client_timeout=self._patience.timeout_s
        )
        return bool(await self._translated(spec.name, call))

    async def vocabulary(self, version: str) -> tuple[str, ...]:
        """Return the product ids of a recommender version; entry ``i`` has index ``i + 1``.

        Raises:
            InferenceUnavailable: The server does not answer, or has no such version, or refuses.
        """
        product_ids: list[str] = []
        while True:
            span = np.array([len(product_ids), _SPAN], dtype=np.int64)
            try:
                answer = await self.infer(VOCABULARY, version, {"span": span})
            except InferenceRejected as error:
                raise InferenceUnavailable(str(error)) from error
            part = [entry.decode() for entry in answer["product_ids"].tolist()]
            if not part:
                return tuple(product_ids)
            product_ids.extend(part)

    def held_back(self) -> Sequence[str]:
        """Return the models that are not asked now, until a probe succeeds."""
        return self._calls.held_back()

    async def _ask(self) -> None:
        """Raise InferenceUnavailable when the server does not answer at all."""
        call = self._connected.is_server_live(client_timeout=self._patience.alive_s)
        await self._translated("server", call)

    async def _load_if_missing(self, model: str) -> None:
        """Load *model* when it is not ready: after a restart in explicit mode none is.

        Raises:
            InferenceUnavailable: The server does not answer, or cannot load it.
        """
        async with self._loading[model]:
            if model not in await self._ready_models():
                log.warning("model_not_loaded", model=model)
                load = self._connected.load_model(model, client_timeout=self._patience.load_s)
                await self._translated(model, load)

    async def _ready_models(self) -> set[str]:
        timeout_s = self._patience.timeout_s
        call = self._connected.get_model_repository_index(client_timeout=timeout_s)
        index = await self._translated("server", call)
        return {model.name for model in index.models if model.state == "READY"}

    async def _metadata(self, spec: ModelSpec) -> Any:
        timeout_s = self._patience.timeout_s
        call = self._connected.get_model_metadata(spec.name, client_timeout=timeout_s)
        return await self._translated(spec.name, call)

    async def _translated(
        self, name: str, call: Awaitable[Answer], *, refusals: Collection[str | None] = ()
    ) -> Answer:
        """Await *call*; its failures become ours, those of a status in *refusals* a rejection."""
        try:
            return await call
        except InferenceServerException as error:
            where = f"{name} at {self._url}: {error}"
            if error.status() in refusals:
                raise InferenceRejected(where) from error
            raise InferenceUnavailable(where) from error
        except asyncio.CancelledError as error:
            if _is_cancelled_from_outside():
                raise
            raise InferenceUnavailable(f"{name}: the client was stopped") from error

    @property
    def _connected(self) -> Any:
        if self._client is None:
            raise InferenceUnavailable(f"{self._url}: the client is not started")
        return self._client


def _is_cancelled_from_outside() -> bool:
    """Closing a channel cancels its calls, which looks like a cancelled task but is none."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
