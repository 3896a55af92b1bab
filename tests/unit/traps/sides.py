"""Faust's own consumer and ours before the same partition, so that a test shows both in one place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faust
from aiokafka.structs import ConsumerRecord
from faust.transport.consumer import Fetcher
from faust.types import TP, Message

from stream.kafka.records import RecordBatch
from stream.kafka.transport import BatchApp, Batching

TP0 = TP("events", 0)
PATIENCE_S = 10.0


def record_at(offset: int, topic: str = TP0.topic, partition: int = 0) -> ConsumerRecord:
    """A record as aiokafka fetches it."""
    at = (topic, partition, offset, 0, 0)
    return ConsumerRecord(*at, b"ann", b"{}", None, 3, 2, ())


@dataclass
class Partition:
    """A partition in memory in the place of aiokafka: chunks out in turn, a committed offset."""

    chunks: list[Sequence[int]]
    committed: int | None = None
    refuses: bool = False
    read_up: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._left = list(self.chunks)

    async def fetch(self, active_partitions: set[TP], timeout: float) -> Mapping[TP, list[Any]]:  # noqa: ASYNC109  # aiokafka's
        if not self._left:
            self.read_up.set()
            await asyncio.sleep(0)
            return {}
        return {TP0: [record_at(offset) for offset in self._left.pop(0)]}

    async def seek(self) -> Mapping[TP, int | None]:
        start = self.committed or 0
        self.read_up.clear()
        self._left = [chunk for chunk in self.chunks if chunk[-1] >= start]
        return {TP0: self.committed}

    async def rewind(self, *_: TP) -> None:
        self._left = list(self.chunks)

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        if not self.refuses:
            self.committed = offsets[TP0]
        return not self.refuses


class Side:
    """A consumer at a partition, and what Faust's own fetch loop got out of it.

    Attributes:
        consumer: Faust's, or ours.
        messages: What the loop handed on, in order.
    """

    def __init__(self, app: faust.App, partition: Partition) -> None:
        self.app, self.partition = app, partition
        self.messages: list[Message] = []
        self.consumer: Any = app.consumer
        app.flow_control.resume()
        # As an agent on the topic has it.
        app.topics._acking_topics.add(TP0.topic)
        consumer = self.consumer
        consumer._getmany, consumer._commit = partition.fetch, partition.commit
        consumer.seek_to_committed = partition.seek
        consumer._thread.seek_to_beginning = partition.rewind
        consumer.assignment = lambda: {TP0}
        consumer.highwater = lambda _: partition.chunks[-1][-1] + 1
        consumer.callback = self._take
        consumer._set_active_tps({TP0})
        consumer.resume_flow()

    async def read(self) -> list[Message]:
        """Run the loop until the partition is read up; return what is new."""
        first, fetcher = len(self.messages), Fetcher(self.app)
        draining = asyncio.create_task(self.consumer._drain_messages(fetcher))
        read_up = asyncio.create_task(self.partition.read_up.wait())
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait({draining, read_up}, return_when=asyncio.FIRST_COMPLETED)
            fetcher._stopped.set()
            await asyncio.gather(draining, read_up)
        return self.messages[first:]

    async def batches(self) -> list[RecordBatch]:
        """Read, and return the record batches that came: of our side only."""
        return [message.value for message in await self.read()]

    async def _take(self, message: Message) -> None:
        self.messages.append(message)


@asynccontextmanager
async def stock_side(
    folder: Path, *chunks: Sequence[int], committed: int | None = None, **options: Any
) -> AsyncIterator[Side]:
    """Faust as it comes."""
    loop = asyncio.get_running_loop()
    app = faust.App("stock", broker="kafka://127.0.0.1:1", datadir=folder, loop=loop, **options)
    side = Side(app, Partition(list(chunks), committed))
    side.consumer._committed_offset[TP0] = committed
    try:
        yield side
    finally:
        side.consumer._thread.thread_loop.close()


@asynccontextmanager
async def our_side(
    folder: Path, *chunks: Sequence[int], committed: int | None = None, **bounds: Any
) -> AsyncIterator[Side]:
    """Faust with our transport, and these bounds on what is in flight."""
    app = BatchApp(
        "ours",
        broker="storestream://127.0.0.1:1",
        datadir=folder,
        loop=asyncio.get_running_loop(),
        batching=Batching(**{"drain_timeout_s": 0.05, **bounds}),
    )
    side = Side(app, Partition(list(chunks), committed))
    await side.consumer.perform_seek()
    try:
        yield side
    finally:
        side.consumer._thread.thread_loop.close()
