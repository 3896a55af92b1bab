"""One direction of one connection through a ``Wire``: what comes in goes out, late or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from dataclasses import dataclass, field

_CHUNK_BYTES = 16 * 1024
#: Chunks on their way; then nothing more is read, and the sender's own buffers fill.
_MAX_CHUNKS = 64


@dataclass(slots=True)
class Weather:
    """What all connections of a wire suffer in one direction; changed in the loop's own thread.

    Attributes:
        flows: Unset while nothing may pass.
        holds: What passes no more, of Kafka's requests: their api key; None for none.
        free: Unset while such a request is held, and all behind it on its connection.
        quick: Set while nothing is late.
        bytes_per_s: Of each connection, None for as many as there are.
        n_bytes: Forwarded so far.
    """

    flows: asyncio.Event = field(default_factory=asyncio.Event)
    quick: asyncio.Event = field(default_factory=asyncio.Event)
    free: asyncio.Event = field(default_factory=asyncio.Event)
    holds: int | None = None
    bytes_per_s: float | None = None
    delay_s: float = 0.0
    n_bytes: int = 0

    def __post_init__(self) -> None:
        self.heal()

    def slow(self, bytes_per_s: float | None, delay_s: float) -> None:
        """Make late what comes from now on."""
        self.bytes_per_s, self.delay_s = bytes_per_s, delay_s
        self.quick.clear()

    def hold(self, api_key: int) -> None:
        """Let no such request begin from now on."""
        self.holds = api_key
        self.free.clear()

    def heal(self) -> None:
        """Let all pass at once, also what is under way."""
        self.bytes_per_s, self.delay_s, self.holds = None, 0.0, None
        self.free.set()
        self.quick.set()
        self.flows.set()


class Requests:
    """What Kafka's requests in a stream of bytes ask for; of other protocols it tells nonsense."""

    _HEADER = struct.Struct(">ih")

    def __init__(self) -> None:
        self._header = b""
        self._n_left = 0

    def begun_in(self, data: bytes) -> set[int]:
        """Return the api keys of the requests that begin in *data*, the next part of the stream."""
        found, at = set(), 0
        while at < len(data):
            n_skipped = min(self._n_left, len(data) - at)
            self._n_left -= n_skipped
            at += n_skipped
            n_missing = self._HEADER.size - len(self._header)
            self._header += data[at : at + n_missing]
            at += n_missing
            if len(self._header) == self._HEADER.size:
                size, api_key = self._HEADER.unpack(self._header)
                found.add(api_key)
                self._header, self._n_left = b"", max(0, size - 2)
        return found


class Flow:
    """Carries bytes one way; each chunk has a time before which it does not arrive."""

    def __init__(self, weather: Weather) -> None:
        self._weather = weather
        self._under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_MAX_CHUNKS)
        self._free_at_s = 0.0
        self._requests = Requests()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward until *reader* ends and all has arrived; then say the end on.

        Raises:
            OSError: A side has closed the connection in the middle.
        """
        async with asyncio.TaskGroup() as both_ends:
            both_ends.create_task(self._take(reader))
            both_ends.create_task(self._give(writer))

    async def _take(self, reader: asyncio.StreamReader) -> None:
        while True:
            data = await reader.read(_CHUNK_BYTES)
            await self._under_way.put((self._arrival_s(len(data)), data))
            if not data:
                return

    async def _give(self, writer: asyncio.StreamWriter) -> None:
        while True:
            at_s, data = await self._under_way.get()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(at_s):
                    await self._weather.quick.wait()
            await self._weather.flows.wait()
            if self._weather.holds in self._requests.begun_in(data):
                await self._weather.free.wait()
            if not data:
                writer.write_eof()
                return
            self._weather.n_bytes += len(data)  # first, so that who has heard it finds it counted
            writer.write(data)
            await writer.drain()

    def _arrival_s(self, n_bytes: int) -> float:
        """Return when *n_bytes* more have gone through, by the loop's clock."""
        weather, now_s = self._weather, asyncio.get_running_loop().time()
        if weather.bytes_per_s is None:
            self._free_at_s = now_s
        else:
            self._free_at_s = max(now_s, self._free_at_s) + n_bytes / weather.bytes_per_s
        return self._free_at_s + weather.delay_s
