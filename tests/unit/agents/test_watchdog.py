"""Old work is no fault; work that stands still is, and so is a part that died."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from aiokafka.errors import IllegalStateError
from faust.types import TP

from stream.agents.gauges import set_gauges
from stream.agents.watchdog import Stalled, Watchdog
from stream.agents.worker import WorkerApp
from stream.app import create_app
from stream.kafka.records import RecordBatch
from stream.kafka.transport import consumer_of
from stream.settings import Settings
from tests.unit.builders import Clock, Record

TP0 = TP("store.events.v1", 0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watchdog(clock: Clock) -> Watchdog:
    return Watchdog(60, clock=clock)


def test_long_queue_that_moves_is_no_fault(watchdog: Watchdog, clock: Clock) -> None:
    for n_completed in range(10):
        watchdog.look(n_completed, busy=True)
        clock.now_s += 50

    assert watchdog.complaint(oldest_open_s=500) is None


def test_work_without_progress_is_a_fault(watchdog: Watchdog, clock: Clock) -> None:
    watchdog.look("same", busy=True)
    clock.now_s += 61
    watchdog.look("same", busy=True)

    assert watchdog.complaint(oldest_open_s=0) == "no progress for 61 s of 60 s"


def test_time_without_work_does_not_count(watchdog: Watchdog, clock: Clock) -> None:
    watchdog.look("same", busy=False)
    clock.now_s += 600
    watchdog.look("same", busy=False)
    clock.now_s += 1
    watchdog.look("same", busy=True)

    assert watchdog.complaint(oldest_open_s=0) is None


def test_one_batch_may_not_be_open_for_ever_beside_others(watchdog: Watchdog) -> None:
    assert watchdog.complaint(oldest_open_s=601) is not None


class Reader:
    def __init__(self, failure: BaseException | None = None) -> None:
        self.failure = failure


@pytest.fixture
async def worker(clock: Clock) -> AsyncIterator[WorkerApp]:
    """A worker that is assigned one partition of ten records, of which it committed five."""
    app = create_app(Settings(inference="none", metrics_port=0))
    app.loop = asyncio.get_running_loop()
    app.parts = replace(app.parts, bulletin=Reader())  # type: ignore[arg-type]
    app.crash = nothing
    app.recovered = True
    app._watchdog, app._commits = Watchdog(60, clock=clock), Watchdog(60, clock=clock)
    consumer = consumer_of(app)
    consumer.assignment = lambda: {TP0}
    consumer.highwater = lambda _: 10
    consumer._committed_offset = {TP0: 5}
    yield app
    consumer._thread.thread_loop.close()


def batch_at(offset: int, generation: int) -> RecordBatch:
    return RecordBatch(TP0.topic, TP0.partition, [Record(b"", offset=offset)], generation)


async def nothing(_error: BaseException) -> None:
    pass


def at(position: int) -> Callable[[TP], Awaitable[int]]:
    async def told(_tp: TP) -> int:
        return position

    return told


async def revoked(tp: TP) -> int:
    raise IllegalStateError(f"Partition {tp} is not assigned")


async def test_dead_reader_of_the_shelf_ends_the_worker(worker: WorkerApp) -> None:
    reader = Reader(LookupError("no shelf"))
    worker.parts = replace(worker.parts, bulletin=reader)  # type: ignore[arg-type]

    await worker.inspect()

    assert isinstance(worker.failure, LookupError)


async def test_records_that_are_never_fetched_end_the_worker(
    worker: WorkerApp, clock: Clock
) -> None:
    consumer_of(worker).position = at(5)
    await worker.inspect()
    before = worker.failure
    clock.now_s += 61

    await worker.inspect()

    assert before is None
    assert isinstance(worker.failure, Stalled)
    assert not worker.live().holds


async def test_commit_markers_at_the_end_are_no_work(worker: WorkerApp, clock: Clock) -> None:
    consumer_of(worker).position = at(10)
    await worker.inspect()
    clock.now_s += 61

    await worker.inspect()

    assert worker.failure is None
    assert worker.live().holds


async def test_partition_revoked_while_it_is_asked_for_ends_nothing(
    worker: WorkerApp, clock: Clock
) -> None:
    consumer_of(worker).position = revoked
    await worker.inspect()
    clock.now_s += 61

    await worker.inspect()

    assert worker.failure is None


async def test_consumer_that_is_still_to_be_started_ends_nothing() -> None:
    """On a busy machine its thread may come later than the first look."""
    app = create_app(Settings(inference="none", metrics_port=0))
    app.loop = asyncio.get_running_loop()

    set_gauges(app.parts, consumer_of(app))
    await app.inspect()

    assert app.failure is None
    consumer_of(app)._thread.thread_loop.close()


async def test_commit_that_moves_is_progress(worker: WorkerApp, clock: Clock) -> None:
    consumer_of(worker).position = at(5)
    await worker.inspect()
    clock.now_s += 50
    consumer_of(worker)._committed_offset = {TP0: 6}
    await worker.inspect()
    clock.now_s += 50

    await worker.inspect()

    assert worker.failure is None


async def test_work_that_is_done_and_never_committed_ends_the_worker(
    worker: WorkerApp, clock: Clock
) -> None:
    tracker = consumer_of(worker).tracker
    tracker.restart([TP0])
    for offset in range(5, 9):
        batch = batch_at(offset, tracker.generation)
        tracker.opened(batch)
        tracker.complete(batch)
        await worker.inspect()
        clock.now_s += 20
    before = worker.failure

    await worker.inspect()

    assert before is None
    assert "takes no commit" in str(worker.failure)


async def test_commits_that_follow_the_work_are_no_fault(worker: WorkerApp, clock: Clock) -> None:
    consumer = consumer_of(worker)
    consumer.tracker.restart([TP0])
    for offset in range(5, 9):
        batch = batch_at(offset, consumer.tracker.generation)
        consumer.tracker.opened(batch)
        consumer.tracker.complete(batch)
        await worker.inspect()
        clock.now_s += 50
        consumer._committed_offset = {TP0: offset}

    assert worker.failure is None
