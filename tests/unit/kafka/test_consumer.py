"""The consumer's bookkeeping, against a log in memory in the place of aiokafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

import pytest
from faust.types import TP

from stream.kafka.consumer import BatchConsumer
from stream.kafka.records import RecordBatch, bytes_of
from stream.kafka.transport import consumer_of
from tests.unit.kafka.fakes import TP0, Log, Record, app_in


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
async def consumer(tmp_path: Path, log: Log) -> AsyncIterator[BatchConsumer]:
    app = app_in(tmp_path)
    consumer = consumer_of(app)
    consumer._getmany, consumer._commit = log.fetch, log.commit
    consumer.seek_to_committed = log.seek
    consumer._thread.seek_to_beginning = log.rewind
    consumer.assignment = lambda: {TP0}
    consumer.highwater = lambda _: 100
    consumer._set_active_tps({TP0})
    await consumer.perform_seek()
    log.delivered.set()
    yield consumer
    consumer._thread.thread_loop.close()


async def read(consumer: BatchConsumer) -> list[RecordBatch]:
    return [message.value async for _, message in consumer.getmany(timeout=0.01)]


async def test_commit_the_broker_refused_is_tried_again(consumer: BatchConsumer, log: Log) -> None:
    (batch,) = await read(consumer)
    batch.complete()
    log.refuses = True
    refused = await consumer.commit()
    log.refuses = False

    confirmed = await consumer.commit()

    assert (refused, confirmed, log.committed) == (False, True, 10)


async def test_fetch_whose_waiter_was_cancelled_is_read_again(
    consumer: BatchConsumer, log: Log
) -> None:
    log.delivered.clear()
    reading = asyncio.create_task(read(consumer))
    await log.fetched.wait()
    reading.cancel()
    await asyncio.wait([reading])
    log.delivered.set()

    (batch,) = await read(consumer)

    assert reading.cancelled()
    assert batch.first_offset == 0


async def test_fetch_that_returns_to_a_stopped_flow_is_read_again(
    consumer: BatchConsumer, log: Log
) -> None:
    log.delivered.clear()
    reading = asyncio.create_task(read(consumer))
    await log.fetched.wait()
    consumer.stop_flow()
    log.delivered.set()
    dropped = await reading
    consumer.resume_flow()

    (batch,) = await read(consumer)

    assert dropped == []
    assert batch.first_offset == 0


async def test_seek_waits_for_a_fetch_that_nobody_waits_for(
    consumer: BatchConsumer, log: Log
) -> None:
    log.delivered.clear()
    reading = asyncio.create_task(read(consumer))
    await log.fetched.wait()
    reading.cancel()
    await asyncio.wait([reading])
    seeking = asyncio.create_task(consumer.perform_seek())
    await asyncio.wait([seeking], timeout=0.01)
    log.delivered.set()
    await seeking

    (batch,) = await read(consumer)

    assert batch.first_offset == 0


async def test_chunk_yielded_before_the_flow_stopped_is_read_again(
    consumer: BatchConsumer, log: Log
) -> None:
    yielded = consumer.getmany(timeout=0.01)
    _, dropped = await anext(yielded)
    consumer.stop_flow()
    consumer.resume_flow()
    await yielded.aclose()

    (batch,) = await read(consumer)

    assert dropped.value.first_offset == batch.first_offset == 0
    assert dropped.value.generation != batch.generation


async def test_seek_waits_for_the_fetch_under_way(consumer: BatchConsumer, log: Log) -> None:
    log.delivered.clear()
    reading = asyncio.create_task(read(consumer))
    await log.fetched.wait()
    seeking = asyncio.create_task(consumer.perform_seek())
    await asyncio.sleep(0)
    log.delivered.set()
    await asyncio.gather(reading, seeking)

    (batch,) = await read(consumer)

    assert batch.first_offset == 0
    assert batch.generation == consumer.tracker.generation


async def test_completion_from_before_a_seek_commits_nothing(consumer: BatchConsumer) -> None:
    (batch,) = await read(consumer)
    await consumer.perform_seek()

    batch.complete()

    assert consumer.tracker.committable() == {}
    assert not await consumer.commit()


async def test_drain_does_not_wait_for_a_batch_that_no_agent_took(
    consumer: BatchConsumer, log: Log
) -> None:
    (taken,) = await read(consumer)
    await read(consumer)
    consumer.tracker.begin(taken)
    draining = asyncio.create_task(consumer.wait_empty())
    await asyncio.sleep(0)

    taken.complete()
    await draining

    assert log.committed == 10
    assert consumer.tracker.in_flight == 1


async def test_drain_that_timed_out_commits_what_was_completed_and_lets_go_of_the_rest(
    consumer: BatchConsumer, log: Log
) -> None:
    (first,), (second,) = await read(consumer), await read(consumer)
    for batch in (first, second):
        consumer.tracker.begin(batch)
    first.complete()

    await consumer.wait_empty()
    second.complete()
    await consumer.commit()

    assert log.committed == 10
    assert consumer.tracker.in_flight == 0


async def test_epoch_of_the_topic_travels_with_the_batch(consumer: BatchConsumer) -> None:
    async def epochs_of(topics: Iterable[str]) -> dict[str, int]:
        return dict.fromkeys(topics, 7)

    consumer.app.epochs_of = epochs_of
    await consumer.perform_seek()

    (batch,) = await read(consumer)

    assert batch.epoch == 7


def test_empty_records_and_headers_count_for_the_memory_they_take() -> None:
    empty = Record(0, key=None, value=None)
    wordy = Record(0, key=None, value=None, headers=[("", b"")] * 1_000 + [("name", b"x" * 500)])

    assert bytes_of([empty] * 1_000) >= 100_000
    assert bytes_of([wordy]) >= 100_000
    assert bytes_of([Record(0, value=b"x" * 500)]) >= bytes_of([empty]) + 500


async def test_memory_of_a_fetched_batch_is_counted(consumer: BatchConsumer) -> None:
    (batch,) = await read(consumer)

    assert batch.n_bytes == bytes_of(batch.records)
    assert consumer.tracker.bytes_in_flight == batch.n_bytes


async def test_last_commit_waits_no_longer_for_another_than_for_the_broker(
    consumer: BatchConsumer, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faust's timer began one that hangs; to wait for it cannot be cancelled, with Faust's own."""
    monkeypatch.setattr("stream.kafka.consumer.LAST_COMMIT_S", 0.01)
    answered = asyncio.Event()

    async def commit(offsets: Mapping[TP, int]) -> bool:
        await answered.wait()
        return True

    consumer._commit = commit
    await consumer.perform_seek()
    [batch] = await read(consumer)
    batch.complete()
    hanging = asyncio.create_task(consumer.commit())
    await asyncio.sleep(0)

    async with asyncio.timeout(5):
        await consumer.wait_empty()

    assert not hanging.done()
    answered.set()
    await hanging
