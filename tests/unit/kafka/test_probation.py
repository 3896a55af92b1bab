"""What an owner notes, what the next one makes of it, and what counts as no crash."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from faust.types import TP

from stream.errors import PartitionRevoked, PublishFailed
from stream.kafka.notes import FORM, Note, SetAside, dump, set_aside_key
from stream.kafka.probation import Probation
from stream.kafka.records import FetchedRecord, InRecord, OutRecord
from stream.kafka.store import StateStore

TP0, TP1 = TP("events", 0), TP("orders", 0)
EPOCHS = {"events": 1, "orders": 1}


@dataclass
class Topic:
    """What the compacted topic holds in the end; every owner writes to it and reads it."""

    values: dict[bytes | None, bytes] = field(default_factory=dict)
    n_records: int = 0
    fails: bool = False
    hangs: bool = False

    async def publish(self, records: Sequence[OutRecord]) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails:
            raise PublishFailed("the broker is gone")
        self.n_records += len(records)
        for record in records:
            if record.value is None:
                self.values.pop(record.key, None)
            else:
                self.values[record.key] = record.value


@dataclass
class Bin:
    """Keeps what was set aside."""

    disposed: list[tuple[str, int, int]] = field(default_factory=list)

    async def __call__(
        self, topic: str, partition: int, record: InRecord, *, verdict: SetAside
    ) -> None:
        self.disposed.append((topic, partition, record.offset))


@pytest.fixture
def topic() -> Topic:
    return Topic()


@pytest.fixture
def bin_() -> Bin:
    return Bin()


async def own(
    topic: Topic,
    committed: Mapping[TP, int],
    *,
    dispose: Bin | None = None,
    quarantine_after: int = 3,
    epochs: Mapping[str, int] = EPOCHS,
) -> Probation:
    """Another worker is assigned what *committed* names."""
    store: StateStore[Note] = StateStore("attempts", topic, FORM)
    partition = store.open(0)
    for key, value in topic.values.items():
        partition.restore(key or b"", value)
    probation = Probation(
        store,
        quarantine_after=quarantine_after,
        max_in_flight=16_000,
        dispose=dispose or Bin(),
    )
    await probation.adopt(committed, epochs)
    return probation


def chunk(*offsets: int) -> list[InRecord]:
    return [FetchedRecord(offset, 0, b"key", b"value", ()) for offset in offsets]


async def test_owner_that_died_without_progress_makes_its_partition_suspicious(
    topic: Topic,
) -> None:
    dead = await own(topic, {TP0: 5, TP1: 0})
    await dead.begin({TP0: chunk(5, 6, 7)})

    probation = await own(topic, {TP0: 5, TP1: 0})

    assert dead.suspects == {}
    assert probation.suspects[TP0].n_crashes == 1
    assert TP1 not in probation.suspects


async def test_owner_that_died_after_progress_leaves_no_suspicion(topic: Topic) -> None:
    dead = await own(topic, {TP0: 5})
    await dead.begin({TP0: chunk(5, 6, 7)})

    assert (await own(topic, {TP0: 6})).suspects == {}


async def test_only_the_first_chunk_of_an_assignment_is_noted(topic: Topic) -> None:
    owner = await own(topic, {TP0: 5})
    await owner.begin({TP0: chunk(5, 6)})

    for first in range(7, 17, 2):
        await owner.begin({TP0: chunk(first, first + 1)})

    assert topic.n_records == 1


@pytest.mark.parametrize("n_chunks", [0, 1], ids=["nothing begun", "one begun"])
async def test_clean_stop_without_progress_counts_for_nothing(topic: Topic, n_chunks: int) -> None:
    for _ in range(5):
        owner = await own(topic, {TP0: 5})
        for _ in range(n_chunks):
            await owner.begin({TP0: chunk(5)})
        await owner.release(1)

    assert (await own(topic, {TP0: 5})).suspects == {}
    assert topic.values == {}


async def test_clean_stop_under_suspicion_leaves_it_as_it_was(topic: Topic) -> None:
    for _ in range(2):
        dead = await own(topic, {TP0: 5})
        await dead.begin({TP0: chunk(5)})
    patient = await own(topic, {TP0: 5})
    await patient.begin({TP0: chunk(5)})

    await patient.release(1)

    assert patient.suspects[TP0].n_crashes == 2
    assert (await own(topic, {TP0: 5})).suspects[TP0].n_crashes == 2


async def test_stop_after_a_bug_counts_like_a_crash(topic: Topic) -> None:
    buggy = await own(topic, {TP0: 5})
    await buggy.begin({TP0: chunk(5)})
    buggy.blamed = True

    await buggy.release(1)

    assert (await own(topic, {TP0: 5})).suspects[TP0].n_crashes == 1


@pytest.mark.parametrize("how", ["fails", "hangs"])
async def test_release_without_a_broker_ends_all_the_same(topic: Topic, how: str) -> None:
    owner = await own(topic, {TP0: 5})
    await owner.begin({TP0: chunk(5)})
    setattr(topic, how, True)

    async with asyncio.timeout(5):
        await owner.release(0.01)


async def test_begun_is_only_what_the_broker_has_a_note_of(topic: Topic) -> None:
    owner = await own(topic, {TP0: 5})
    topic.fails = True

    with pytest.raises(PublishFailed):
        await owner.begin({TP0: chunk(5)})


async def test_records_of_an_earlier_assignment_are_not_begun(topic: Topic) -> None:
    """A fetch was under way when the group took the partition; found by a rebalance under load."""
    owner = await own(topic, {TP0: 5})
    owner.forget()
    await owner.adopt({TP1: 0}, EPOCHS)

    with pytest.raises(PartitionRevoked, match="events"):
        await owner.begin({TP0: chunk(5)})

    assert topic.n_records == 0


async def test_record_that_was_alone_at_the_third_death_is_set_aside_and_nothing_else(
    topic: Topic, bin_: Bin
) -> None:
    for _ in range(3):
        dead = await own(topic, {TP0: 5})
        await dead.begin({TP0: chunk(5)})

    probation = await own(topic, {TP0: 5}, dispose=bin_)
    await probation.begin({TP0: chunk(5)})
    await probation.set_aside({TP0: chunk(5)})

    assert list(probation.condemned(TP0)) == [5]
    assert bin_.disposed == [("events", 0, 5)]


async def test_verdict_holds_whatever_dies_before_the_group_is_behind_it(
    topic: Topic, bin_: Bin
) -> None:
    for _ in range(3):
        dead = await own(topic, {TP0: 5})
        await dead.begin({TP0: chunk(5)})
    judge = await own(topic, {TP0: 5})
    await judge.begin({TP0: chunk(5, 6)})

    heir = await own(topic, {TP0: 5}, dispose=bin_)
    await heir.begin({TP0: chunk(5)})
    await heir.set_aside({TP0: chunk(5)})

    assert bin_.disposed == [("events", 0, 5)]


async def test_verdict_is_forgotten_once_the_group_is_behind_it(topic: Topic) -> None:
    topic.values[set_aside_key("events", 5)] = dump(SetAside(5, "Skipped", epoch=1))
    owner = await own(topic, {TP0: 5})
    before = list(owner.condemned(TP0))

    owner.moved({TP0: 6})
    await own(topic, {TP0: 6})

    assert before == [5]
    assert owner.condemned(TP0) == {}
    assert topic.values == {}


async def test_verdict_on_a_topic_that_was_created_again_is_void(topic: Topic) -> None:
    topic.values[set_aside_key("events", 5)] = dump(SetAside(5, "Skipped", epoch=1))

    assert (await own(topic, {TP0: 5}, epochs={"events": 2})).condemned(TP0) == {}


async def test_suspicion_ends_behind_the_last_suspect(topic: Topic) -> None:
    dead = await own(topic, {TP0: 5})
    await dead.begin({TP0: chunk(5)})
    owner = await own(topic, {TP0: 5})
    until = owner.suspects[TP0].until

    owner.moved({TP0: until - 1})
    still = TP0 in owner.suspects
    owner.moved({TP0: until})

    assert still
    assert owner.suspects == {}


async def test_the_least_suspicious_gets_on_first(topic: Topic) -> None:
    dead = await own(topic, {TP0: 5, TP1: 0})
    await dead.begin({TP0: chunk(5), TP1: chunk(0)})
    dead = await own(topic, {TP0: 5, TP1: 0})
    await dead.begin({TP0: chunk(5)})

    owner = await own(topic, {TP0: 5, TP1: 0})

    assert owner.turns({TP0, TP1}) == [TP1, TP0]
    assert owner.turns({TP0}) == [TP0]


async def test_never_writes_nothing_and_suspects_nobody(topic: Topic) -> None:
    await (await own(topic, {TP0: 5})).begin({TP0: chunk(5)})
    topic.n_records = 0

    owner = await own(topic, {TP0: 5}, quarantine_after=0)
    await owner.begin({TP0: chunk(5)})

    assert owner.suspects == {}
    assert topic.n_records == 0


async def test_note_of_somebody_else_s_making_stops_nothing(topic: Topic) -> None:
    topic.values[b"events"] = b"?"
    topic.values[b"events@5"] = b"?"

    owner = await own(topic, {TP0: 5})

    assert owner.suspects == {}
    assert owner.condemned(TP0) == {}
