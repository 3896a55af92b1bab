"""Reading on where an owner died: little at a time, and past what is set aside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from stream.kafka.consumer import BatchConsumer
from stream.kafka.notes import FORM, Begun, Note, SetAside, begun_key, dump, set_aside_key
from stream.kafka.probation import Probation
from stream.kafka.records import InRecord, OutRecord, RecordBatch
from stream.kafka.store import StateStore
from stream.kafka.transport import consumer_of
from tests.unit.kafka.fakes import TP0, Log, app_in


class Topic:
    """Keeps what was noted, in order."""

    def __init__(self) -> None:
        self.written: list[OutRecord] = []

    async def publish(self, records: Sequence[OutRecord]) -> None:
        self.written += records


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def topic() -> Topic:
    return Topic()


@pytest.fixture
def disposed() -> list[int]:
    return []


@pytest.fixture
def notes(topic: Topic) -> StateStore[Note]:
    store: StateStore[Note] = StateStore("attempts", topic, FORM)
    store.open(0)
    return store


@pytest.fixture
async def consumer(
    tmp_path: Path, log: Log, notes: StateStore[Note], disposed: list[int]
) -> AsyncIterator[BatchConsumer]:
    """Assigned a partition that is not yet sought to its committed offset."""

    async def dispose(topic: str, partition: int, record: InRecord, *, verdict: SetAside) -> None:
        disposed.append(record.offset)

    async def position(_: object) -> int:
        return log.position

    app = app_in(tmp_path)
    app.probation = Probation(notes, quarantine_after=3, max_in_flight=64, dispose=dispose)
    consumer = consumer_of(app)
    consumer._thread.getmany, consumer._commit = log.fetch, log.commit
    consumer._thread.getsome, consumer.position = log.fetch_some, position
    consumer.seek_to_committed = log.seek
    consumer._thread.seek_to_beginning = log.rewind
    consumer.assignment = lambda: {TP0}
    consumer.highwater = lambda _: 100
    consumer._set_active_tps({TP0})
    log.delivered.set()
    yield consumer
    consumer._thread.thread_loop.close()


async def read(consumer: BatchConsumer) -> list[RecordBatch]:
    return [message.value async for _, message in consumer.getmany(timeout=0.01)]


def suspect(notes: StateStore[Note], note: Begun) -> None:
    notes[0].restore(begun_key("events"), dump(note))


def extent(batches: Sequence[RecordBatch]) -> list[tuple[int, int]]:
    return [(batch.first_offset, batch.last_offset) for batch in batches]


async def test_without_a_suspicion_whole_chunks_are_read_at_once(
    consumer: BatchConsumer, topic: Topic
) -> None:
    await consumer.perform_seek()

    first, second = await read(consumer), await read(consumer)

    assert extent(first + second) == [(0, 9), (10, 19)]
    assert len(topic.written) == 1


async def test_under_suspicion_one_small_chunk_is_in_flight_and_the_one_before_committed(
    consumer: BatchConsumer, notes: StateStore[Note], log: Log
) -> None:
    suspect(notes, Begun(0, 1))
    await consumer.perform_seek()

    [first] = await read(consumer)
    meanwhile = await read(consumer)
    first.complete()
    [second] = await read(consumer)

    assert extent([first, second]) == [(0, 3), (4, 7)]
    assert meanwhile == []
    assert log.committed == 4


async def test_commit_that_the_broker_refuses_holds_the_next_small_chunk_back(
    consumer: BatchConsumer, notes: StateStore[Note], log: Log
) -> None:
    suspect(notes, Begun(0, 1))
    await consumer.perform_seek()
    [first] = await read(consumer)
    first.complete()
    log.refuses = True

    held_back = await read(consumer)
    log.refuses = False
    [second] = await read(consumer)

    assert held_back == []
    assert second.first_offset == 4


async def test_each_small_chunk_is_noted_before_it_is_handed_out(
    consumer: BatchConsumer, notes: StateStore[Note], topic: Topic
) -> None:
    suspect(notes, Begun(0, 1))
    await consumer.perform_seek()

    [first] = await read(consumer)
    first.complete()
    await read(consumer)

    assert [FORM.load(record.value or b"") for record in topic.written] == [
        Begun(0, 2, 0, n_records=4, last_offset=3),
        Begun(4, 2, 0, n_records=4, last_offset=7),
    ]


async def test_behind_the_suspects_all_is_as_before(
    consumer: BatchConsumer, notes: StateStore[Note]
) -> None:
    suspect(notes, Begun(0, 1, n_records=2, last_offset=1))
    await consumer.perform_seek()
    for _ in range(2):
        [one] = await read(consumer)
        one.complete()
    await read(consumer)

    after = await read(consumer)

    assert extent(after) == [(2, 11)]


async def test_suspect_with_nothing_left_to_read_holds_nothing_up(
    consumer: BatchConsumer, notes: StateStore[Note], log: Log
) -> None:
    """Its records have expired, or were compacted away."""
    suspect(notes, Begun(100, 1))
    log.committed = 100
    await consumer.perform_seek()

    await read(consumer)

    assert consumer.app.probation is not None
    assert consumer.app.probation.suspects == {}


async def test_record_in_the_middle_is_set_aside_and_the_others_are_handed_out(
    consumer: BatchConsumer, notes: StateStore[Note], log: Log, disposed: list[int]
) -> None:
    notes[0].restore(set_aside_key("events", 4), dump(SetAside(4, "Skipped")))
    await consumer.perform_seek()

    batches = await read(consumer)
    for batch in batches:
        batch.complete()
    await consumer.commit()

    assert extent(batches) == [(0, 3), (5, 9)]
    assert disposed == [4]
    assert log.committed == 10


async def test_last_record_of_a_partition_is_committed_when_set_aside(
    consumer: BatchConsumer, notes: StateStore[Note], log: Log
) -> None:
    notes[0].restore(set_aside_key("events", 99), dump(SetAside(99, "Skipped")))
    log.committed = 99
    await consumer.perform_seek()

    batches = await read(consumer)
    await consumer.commit()

    assert batches == []
    assert log.committed == 100


async def test_guilty_record_is_committed_before_another_is_begun(
    consumer: BatchConsumer, notes: StateStore[Note], log: Log, disposed: list[int]
) -> None:
    suspect(notes, Begun(0, 3, n_records=1, last_offset=0))
    await consumer.perform_seek()

    nothing = await read(consumer)
    await read(consumer)
    following = await read(consumer)

    assert nothing == []
    assert disposed == [0]
    assert log.committed == 1
    assert following[0].first_offset == 1


async def test_fetch_that_returns_to_a_stopped_flow_is_not_noted(
    consumer: BatchConsumer, log: Log, topic: Topic
) -> None:
    await consumer.perform_seek()
    log.delivered.clear()
    reading = asyncio.create_task(read(consumer))
    await log.fetched.wait()
    consumer.stop_flow()
    log.delivered.set()

    assert await reading == []
    assert topic.written == []


async def test_chunk_whose_note_is_refused_is_read_again(
    consumer: BatchConsumer, notes: StateStore[Note], topic: Topic
) -> None:
    await consumer.perform_seek()
    notes.drop(0)
    revoked = await read(consumer)
    notes.open(0)

    [batch] = await read(consumer)

    assert revoked == []
    assert batch.first_offset == 0
