"""A TCP proxy on loopback that can be cut, slowed and stalled: the wire to a broker or to Triton.

For Apache Kafka the node needs a second door, because it tells its clients its own address:
``Wiring`` in ``stream/local/kafka_properties.py``. Clients that must see what is really there go
by the first one.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from stream.bench.faults.flow import Flow, Weather

_LOOPBACK = "127.0.0.1"
#: ``struct linger``, on, no time: closing sends a reset and throws away what was not sent.
_RESET = struct.pack("ii", 1, 0)
_ANSWER_S = 10.0
Result = TypeVar("Result")


class Wire:
    """Forwards connections to a port, in a thread of its own, until it is closed.

    Its port is its own from construction to :meth:`close`, also while it refuses.
    """

    def __init__(self, target_port: int = 0) -> None:
        """Listen at once; *target_port* is asked for at each connection and may be set later."""
        self.target_port = target_port
        self._reserved = _bound(0)
        self.port: int = self._reserved.getsockname()[1]
        self._there, self._back = Weather(), Weather()
        self._open: dict[asyncio.Task[Any], list[asyncio.StreamWriter]] = {}
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)
        self._thread.start()
        self._do(self._listen)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def address(self) -> str:
        """``host:port`` for clients."""
        return f"{_LOOPBACK}:{self.port}"

    @property
    def n_connections(self) -> int:
        """How many connections are open, or waiting to be."""
        return len(self._open)

    @property
    def n_bytes(self) -> int:
        """How many bytes it has forwarded, either way."""
        return self._there.n_bytes + self._back.n_bytes

    def close(self) -> None:
        """Reset all connections and give the port back; a second call does nothing."""
        if not self._loop.is_closed():
            self._do(self._deafen)
            self._do(self._cut)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_ANSWER_S)
            self._loop.close()
            self._reserved.close()

    # -- faults

    def cut(self) -> None:
        """Reset all connections; new ones are taken."""
        self._do(self._cut)

    def refuse(self) -> None:
        """Reset all connections and refuse new ones, until :meth:`heal`."""
        self._do(self._deafen)
        self._do(self._cut)

    def slow(
        self, *, bytes_per_s: float | None = None, delay_s: float = 0.0, there_only: bool = False
    ) -> None:
        """Let so many bytes pass, each connection and direction, each byte so late.

        *there_only*: what a client hears comes as it did; what it says is late.
        """
        self._do(self._slow, bytes_per_s, delay_s, there_only)

    def stall(self) -> None:
        """Forward nothing and close nothing: new connections are taken, and hear nothing either."""
        self._do(self._stall)

    def hold(self, api_key: int) -> None:
        """Hold back Kafka's requests of one kind, and what follows them on their connections."""
        self._do(self._hold, api_key)

    def heal(self) -> None:
        """Be a good wire again; what was held back is forwarded."""
        self._do(self._heal)

    # -- in the loop's thread

    def _do(self, work: Callable[..., Awaitable[Result]], *arguments: Any) -> Result:
        """Run *work* where the connections live, and wait for it."""

        async def awaited() -> Result:
            return await work(*arguments)

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(_ANSWER_S)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, sock=_bound(self.port))

    async def _deafen(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await asyncio.sleep(0)  # what was accepted just now begins, so that it can be cut

    async def _stall(self) -> None:
        for way in (self._there, self._back):
            way.flows.clear()

    async def _hold(self, api_key: int) -> None:
        self._there.hold(api_key)

    async def _slow(self, bytes_per_s: float | None, delay_s: float, there_only: bool) -> None:
        for way in (self._there,) if there_only else (self._there, self._back):
            way.slow(bytes_per_s, delay_s)

    async def _heal(self) -> None:
        for way in (self._there, self._back):
            way.heal()
        await self._listen()

    async def _cut(self) -> None:
        for task, writers in self._open.items():
            task.cancel()
            for writer in writers:
                _reset(writer)
        if self._open:
            await asyncio.wait(self._open)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - what a server calls is a task
        writers = self._open[task] = [writer]
        try:
            await self._forward(reader, writers)
        except* (OSError, asyncio.CancelledError):
            for each in writers:
                _reset(each)
        finally:
            del self._open[task]

    async def _forward(
        self, reader: asyncio.StreamReader, writers: list[asyncio.StreamWriter]
    ) -> None:
        await self._there.flows.wait()
        reader_back, writer_there = await asyncio.open_connection(_LOOPBACK, self.target_port)
        [writer_back] = writers
        writers.append(writer_there)
        async with asyncio.TaskGroup() as both_ways:
            both_ways.create_task(Flow(self._there).carry(reader, writer_there))
            both_ways.create_task(Flow(self._back).carry(reader_back, writer_back))
        for each in writers:
            each.close()
            await each.wait_closed()


def _bound(port: int) -> socket.socket:
    """Return a socket on *port*, which another of ours may hold as well."""
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind((_LOOPBACK, port))
    return held


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
