"""In the place of aiokafka: a log in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from faust.types import TP

from stream.kafka.records import Headers
from stream.kafka.transport import BatchApp, Batching

TP0 = TP("events", 0)


def app_in(folder: Path) -> BatchApp:
    """Return an app that nothing connects, for its consumer."""
    return BatchApp(
        "app",
        broker="storestream://127.0.0.1:1",
        datadir=folder,
        loop=asyncio.get_running_loop(),
        batching=Batching(drain_timeout_s=0.05),
    )


@dataclass(frozen=True)
class Record:
    offset: int
    timestamp: int = 0
    key: bytes | None = b"key"
    value: bytes | None = b"value"
    headers: Headers = field(default=())


@dataclass
class Log:
    """One partition of ten chunks of ten records, read as aiokafka does: a fetch moves on."""

    position: int = 0
    committed: int | None = None
    refuses: bool = False
    fetched: asyncio.Event = field(default_factory=asyncio.Event)
    delivered: asyncio.Event = field(default_factory=asyncio.Event)

    async def fetch(self, tps: set[TP], patience_s: float) -> Mapping[TP, list[Record]]:
        return await self.fetch_some(tps, patience_s, max_records=10)

    async def fetch_some(
        self, tps: set[TP], patience_s: float, *, max_records: int
    ) -> Mapping[TP, list[Record]]:
        self.fetched.set()
        await self.delivered.wait()
        first, self.position = self.position, min(self.position + max_records, 100)
        records = [Record(offset) for offset in range(first, self.position)]
        return {TP0: records} if records else {}

    async def seek(self) -> Mapping[TP, int | None]:
        self.position = self.committed or 0
        return {TP0: self.position or None}

    async def rewind(self, *tps: TP) -> None:
        self.position = 0

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        if not self.refuses:
            self.committed = offsets[TP0]
        return not self.refuses
