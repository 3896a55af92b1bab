"""A broker of whole transactions, at chance's mercy; no aiokafka is part of it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from faust.types import TP

from stream.errors import PublishFailed
from stream.kafka.records import OutRecord


class SimulatedBroker:
    """Applies whole transactions of whoever opened their producer last, now or a little later."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.outputs: Counter[bytes] = Counter()
        self.offsets: dict[TP, int] = {}
        self.changelog: dict[tuple[int, bytes], bytes] = {}
        self.notes: dict[tuple[int, bytes], bytes] = {}
        self.owners: Counter[str] = Counter()
        self.late: set[asyncio.Task[None]] = set()
        #: Chances that a transaction is refused, and that its answer is lost.
        self.p_refused = self.p_lost = 0.0

    async def pause(self, most: int = 12) -> None:
        for _ in range(self.chance.randrange(most)):
            await asyncio.sleep(0)

    def apply(self, records: Sequence[OutRecord], offsets: Mapping[TP, Any]) -> None:
        for record in records:
            if record.topic == "changelog":
                self.changelog[record.partition, record.key or b""] = record.value or b""
            else:
                self.outputs[record.value or b""] += 1
        self.offsets.update(offsets)

    async def publish(self, records: Sequence[OutRecord]) -> None:
        """Take notes, which belong to no transaction."""
        await self.pause()
        for record in records:
            if record.value is None:
                self.notes.pop((record.partition, record.key or b""), None)
            else:
                self.notes[record.partition, record.key or b""] = record.value


class SimulatedProducer:
    """One of the producers of a unit."""

    def __init__(self, broker: SimulatedBroker, unit: str) -> None:
        self.broker, self.unit, self.epoch = broker, unit, 0

    async def start(self) -> None:
        await self.broker.pause()
        self.broker.owners[self.unit] += 1
        self.epoch = self.broker.owners[self.unit]
        await self.broker.pause()

    async def stop(self) -> None: ...
    def abort(self) -> None: ...

    async def commit(self, records: Sequence[OutRecord], offsets: Mapping[TP, Any]) -> None:
        broker = self.broker
        try:
            await broker.pause(20)
            if broker.chance.random() < broker.p_refused:
                raise PublishFailed("refused")
        except asyncio.CancelledError:
            if broker.chance.random() < 0.5:
                broker.late.add(asyncio.create_task(self._apply_late(records, offsets)))
            raise
        self._apply(records, offsets)
        await broker.pause()
        if broker.chance.random() < broker.p_lost:
            raise PublishFailed("nobody knows")

    async def _apply_late(self, records: Sequence[OutRecord], offsets: Mapping[TP, Any]) -> None:
        await self.broker.pause()
        with suppress(PublishFailed):
            self._apply(records, offsets)

    def _apply(self, records: Sequence[OutRecord], offsets: Mapping[TP, Any]) -> None:
        if self.epoch != self.broker.owners[self.unit]:
            raise PublishFailed("fenced")
        self.broker.apply(records, offsets)
