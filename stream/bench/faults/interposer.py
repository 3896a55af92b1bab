"""Stands between workers and Triton: hands calls on, and on command spoils them.

It knows no service: calls and answers are bytes, but for the answers that it gives other shapes.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from typing import Any

import grpc
from tritonclient.grpc import service_pb2

from stream.local.children import free_port

_INFER = "/inference.GRPCInferenceService/ModelInfer"
_ANSWER_S = 10.0
_MAX_BYTES = 64 * 1024 * 1024
_OPTIONS = (
    ("grpc.max_receive_message_length", _MAX_BYTES),
    ("grpc.max_send_message_length", _MAX_BYTES),
    # Two of these on one port would share its calls.
    ("grpc.so_reuseport", 0),
)
#: After Triton was away the next call tries it at once.
_CHANNEL_OPTIONS = (
    *_OPTIONS,
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)
#: Of a client that set no deadline.
_LONGEST_S = 60.0


class Interposer(grpc.GenericRpcHandler):  # type: ignore[misc]
    """A gRPC server on a loopback port that forwards every unary call to *target*."""

    def __init__(self, target: str) -> None:
        self._target = target
        self.address = f"127.0.0.1:{free_port()}"
        self._status: grpc.StatusCode | None = None
        self._delay_s = 0.0
        self._wrong_shapes = False
        self._forward: dict[str, Any] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="interposer", daemon=True
        )

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self._do(self._open())

    def stop(self) -> None:
        """Cancel what is under way, and listen no more; a second call does nothing."""
        if self._thread.is_alive():
            self._do(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_ANSWER_S)
            self._loop.close()

    # -- faults, of inferences only: how a worker asks after the server stays true

    def fail(self, status: grpc.StatusCode) -> None:
        """Answer with *status* and ask nobody."""
        self._status = status

    def delay(self, seconds: float) -> None:
        """Hand each call on so late."""
        self._delay_s = seconds

    def misshape(self) -> None:
        """Say that each tensor of an answer has one row more than it has."""
        self._wrong_shapes = True

    def heal(self) -> None:
        """Be as if not there."""
        self._status, self._delay_s, self._wrong_shapes = None, 0.0, False

    # -- in the loop's thread

    def service(self, handler_call_details: Any) -> Any:
        """Return how to answer a call, as gRPC asks."""
        method = handler_call_details.method

        async def answer(request: bytes, context: Any) -> bytes:
            return await self._answer(method, request, context)

        return grpc.unary_unary_rpc_method_handler(answer)

    async def _answer(self, method: str, request: bytes, context: Any) -> bytes:
        is_inference = method == _INFER
        if is_inference and self._delay_s:
            await asyncio.sleep(self._delay_s)
        if is_inference and self._status is not None:
            await context.abort(self._status, "spoiled on the way to Triton")
        if method not in self._forward:
            self._forward[method] = self._channel.unary_unary(method)
        left_s = context.time_remaining()
        try:
            call = self._forward[method](request, timeout=_LONGEST_S if left_s is None else left_s)
            found: bytes = await call
        except grpc.aio.AioRpcError as error:
            await context.abort(error.code(), error.details() or "")
            raise
        return misshapen(found) if is_inference and self._wrong_shapes else found

    async def _open(self) -> None:
        self._channel = grpc.aio.insecure_channel(self._target, options=_CHANNEL_OPTIONS)
        self._server = grpc.aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers((self,))
        self._server.add_insecure_port(self.address)
        await self._server.start()

    async def _close(self) -> None:
        await self._server.stop(grace=None)
        await self._channel.close()

    def _do(self, work: Awaitable[None]) -> None:
        async def done() -> None:
            await work

        asyncio.run_coroutine_threadsafe(done(), self._loop).result(_ANSWER_S)


def misshapen(answer: bytes) -> bytes:
    """Return an inference's answer with one row more in each tensor's shape than in its bytes."""
    message = service_pb2.ModelInferResponse.FromString(answer)
    for output in message.outputs:
        output.shape[0] += 1
    return bytes(message.SerializeToString())
