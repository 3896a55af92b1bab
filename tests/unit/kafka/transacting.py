"""A consumer of one partition whose commits are transactions, over a log and a broker in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faust.types import TP

from stream.errors import PublishFailed
from stream.kafka.consumer import BatchConsumer
from stream.kafka.notes import FORM, Note, SetAside, dump, set_aside_key
from stream.kafka.probation import Probation
from stream.kafka.records import InRecord, OutRecord, RecordBatch
from stream.kafka.store import Form, StatePartition, StateStore
from stream.kafka.transactions import Transactions
from stream.kafka.transport import consumer_of
from tests.unit.kafka.fakes import TP0, Log, app_in

NUMBERS: Form[int] = Form(lambda value: b"%d" % value, int)
#: Values, and the offset they were committed with; None: with none.
Committed = tuple[list[bytes | None], int | None]


@dataclass
class Broker:
    """Keeps what each transaction had; may hold it back or refuse it."""

    committed: list[Committed] = field(default_factory=list)
    may_commit: asyncio.Event = field(default_factory=asyncio.Event)
    may_publish: asyncio.Event = field(default_factory=asyncio.Event)
    refuses: bool = False

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def abort(self) -> None: ...

    async def commit(self, records: Sequence[OutRecord], offsets: Mapping[TP, int]) -> None:
        await self.may_commit.wait()
        if self.refuses:
            raise PublishFailed("fenced")
        self.committed.append(([record.value for record in records], offsets.get(TP0)))

    async def publish(self, records: Sequence[OutRecord]) -> None:
        await self.may_publish.wait()


class Scene:
    """A consumer of one partition whose commits are transactions; agents are the tests."""

    def __init__(self, folder: Path) -> None:
        self.log, self.broker, self.failures = Log(), Broker(), list[BaseException]()
        self.log.delivered.set()
        self.broker.may_commit.set()
        self.broker.may_publish.set()
        self.store: StateStore[int] = StateStore("changelog", None, NUMBERS)
        app = app_in(folder)
        app.transactions = self.transactions = Transactions(
            {"events": self.store},
            lambda _: self.broker,  # type: ignore[arg-type, return-value]  # no TransactionalProducer
            on_failure=self.failures.append,
        )
        self.consumer: BatchConsumer = consumer_of(app)
        self.consumer._getmany = self.log.fetch
        self.consumer.seek_to_committed = self.log.seek
        self.consumer._thread.seek_to_beginning = self.log.rewind
        self.consumer.assignment = lambda: {TP0}
        self.consumer.highwater = lambda _: 100
        self.consumer._set_active_tps({TP0})

    @property
    def state(self) -> StatePartition[int]:
        return self.store[0]

    async def assign(self) -> None:
        await self.transactions.own([TP0])
        self.store.open(0)
        await self.consumer.perform_seek()

    async def set_aside(self, offset: int) -> None:
        """Go on as an owner who found a note that *offset* is to be skipped."""
        notes: StateStore[Note] = StateStore("attempts", self.broker, FORM)
        notes.open(0).restore(set_aside_key("events", offset), dump(SetAside(offset, "Skipped")))
        self.consumer.app.probation = Probation(
            notes, quarantine_after=3, max_in_flight=64, dispose=self._dispose
        )
        await self.consumer.perform_seek()

    async def _dispose(
        self, topic: str, partition: int, record: InRecord, *, verdict: SetAside
    ) -> None:
        self.effect(b"letter")

    async def read(self) -> list[RecordBatch]:
        return [message.value async for _, message in self.consumer.getmany(timeout=0.01)]

    async def begin(self) -> RecordBatch:
        [batch] = await self.read()
        self.consumer.tracker.begin(batch)
        return batch

    def effect(self, value: bytes) -> None:
        self.state.collect([OutRecord("answers", 0, b"key", value)])


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
