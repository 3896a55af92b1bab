"""What is committed together, and what must not be part of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
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
    refuses: bool = False

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def abort(self) -> None: ...

    async def commit(self, records: Sequence[OutRecord], offsets: Mapping[TP, int]) -> None:
        await self.may_commit.wait()
        if self.refuses:
            raise PublishFailed("fenced")
        self.committed.append(([record.value for record in records], offsets.get(TP0)))

    async def publish(self, records: Sequence[OutRecord]) -> None: ...


class Scene:
    """A consumer of one partition whose commits are transactions; agents are the tests."""

    def __init__(self, folder: Path) -> None:
        self.log, self.broker, self.failures = Log(), Broker(), list[BaseException]()
        self.log.delivered.set()
        self.broker.may_commit.set()
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

    async def read(self) -> list[RecordBatch]:
        return [message.value async for _, message in self.consumer.getmany(timeout=0.01)]

    async def begin(self) -> RecordBatch:
        [batch] = await self.read()
        self.consumer.tracker.begin(batch)
        return batch

    def effect(self, value: bytes) -> None:
        self.state.collect([OutRecord("answers", 0, b"key", value)])


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    scene = Scene(tmp_path)
    await scene.assign()
    yield scene
    scene.consumer._thread.thread_loop.close()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_last_completion_commits_effects_state_and_offset_together(scene: Scene) -> None:
    batch = await scene.begin()
    scene.effect(b"answer")
    scene.state.put(b"visitor", 1)
    await settled()
    before = list(scene.broker.committed)

    batch.complete()
    await settled()

    assert before == []
    assert scene.broker.committed == [([b"answer", b"1"], 10)]
    assert scene.consumer.committed_offsets() == {TP0: 10}


async def test_unit_is_not_fetched_until_it_is_committed(scene: Scene) -> None:
    batch = await scene.begin()
    while_open = await scene.read()
    scene.broker.may_commit.clear()
    batch.complete()
    await settled()
    while_committing = await scene.read()
    scene.broker.may_commit.set()
    await settled()

    [after] = await scene.read()

    assert (while_open, while_committing) == ([], [])
    assert after.first_offset == 10


async def test_what_comes_while_a_transaction_is_under_way_is_part_of_the_next(
    scene: Scene,
) -> None:
    batch = await scene.begin()
    scene.effect(b"first")
    scene.broker.may_commit.clear()
    batch.complete()
    await settled()
    scene.effect(b"by the clock")
    scene.broker.may_commit.set()
    await settled()

    await scene.consumer.force_commit()

    assert scene.broker.committed == [([b"first"], 10), ([b"by the clock"], None)]


async def test_nothing_is_committed_while_a_batch_is_half_done(scene: Scene) -> None:
    batch = await scene.begin()
    scene.effect(b"half of it")

    early = await scene.consumer.force_commit()
    batch.complete()
    await settled()

    assert early is False
    assert scene.broker.committed == [([b"half of it"], 10)]


async def test_batch_that_no_agent_took_holds_no_commit_back(scene: Scene) -> None:
    scene.effect(b"by the clock")
    await scene.read()

    await scene.consumer.force_commit()

    assert scene.broker.committed == [([b"by the clock"], None)]


async def test_refused_transaction_ends_the_worker(scene: Scene) -> None:
    scene.broker.refuses = True
    batch = await scene.begin()

    batch.complete()
    await settled()

    assert [str(error) for error in scene.failures] == ["fenced"]
    assert scene.consumer.committed_offsets() == {}


async def test_transaction_overtaken_by_a_rebalance_ends_nothing(scene: Scene) -> None:
    batch = await scene.begin()
    scene.broker.may_commit.clear()
    batch.complete()
    await settled()
    scene.transactions.disown()
    scene.broker.refuses = True
    scene.broker.may_commit.set()
    await settled()

    assert scene.failures == []
    assert scene.consumer.committed_offsets() == {}


async def test_seek_commits_what_is_done_before_it_reads_anything_again(scene: Scene) -> None:
    batch = await scene.begin()
    scene.effect(b"answer")
    seeking = asyncio.create_task(scene.consumer.perform_seek())
    await settled()
    batch.complete()
    await seeking

    assert scene.broker.committed == [([b"answer"], 10)]
    assert scene.failures == []


async def test_seek_over_a_batch_that_stays_half_done_ends_the_worker(scene: Scene) -> None:
    await scene.begin()

    await scene.consumer.perform_seek()

    assert "half done" in str(scene.failures[0])


async def test_dead_letter_of_what_is_set_aside_waits_for_its_offset(scene: Scene) -> None:
    """It is made before its record is opened, and a commit may come in between."""
    notes: StateStore[Note] = StateStore("attempts", scene.broker, FORM)
    notes.open(0).restore(set_aside_key("events", 0), dump(SetAside(0, "Skipped")))
    may_go_on = asyncio.Event()

    async def dispose(topic: str, partition: int, record: InRecord, *, verdict: SetAside) -> None:
        scene.effect(b"letter")
        await may_go_on.wait()

    scene.consumer.app.probation = Probation(
        notes, quarantine_after=3, max_in_flight=64, dispose=dispose
    )
    await scene.consumer.perform_seek()
    reading = asyncio.create_task(scene.read())
    await settled()
    early = await scene.consumer.force_commit()
    may_go_on.set()
    [rest] = await reading
    rest.complete()
    await settled()

    assert early is False
    assert scene.broker.committed == [([b"letter"], 10)]
