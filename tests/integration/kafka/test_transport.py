"""The transport on a real broker: deliver everything, commit only what is completed."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.kafka.records import RecordBatch
from stream.kafka.transport import BatchApp, Batching, batch_topic, consumer_of
from tests.harness.brokers import broker_in
from tests.harness.damage import publish_with_damaged_header

pytestmark = pytest.mark.broker

N_PARTITIONS = 2
WORKER = Path(__file__).with_name("worker.py")
PATIENCE_S = 40.0


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    broker = broker_in(tmp_path_factory.mktemp("broker"))
    broker.start()
    yield broker.bootstrap
    broker.stop()


@dataclass
class Collected:
    """What agents took; *keep_open* says which batches are not completed."""

    keep_open: Callable[[RecordBatch], bool] = lambda _: False
    offsets: dict[int, list[int]] = field(
        default_factory=lambda: {partition: [] for partition in range(N_PARTITIONS)}
    )
    opened: list[RecordBatch] = field(default_factory=list)
    taken: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, batch: RecordBatch) -> None:
        async with self.taken:
            self.offsets[batch.partition].extend(record.offset for record in batch.records)
            self.taken.notify_all()
        if self.keep_open(batch):
            self.opened.append(batch)
        else:
            batch.complete()

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S), self.taken:
            await self.taken.wait_for(reached)

    def n_taken(self) -> int:
        return sum(map(len, self.offsets.values()))

    def has_all(self, n_records: int) -> bool:
        return self.n_taken() >= n_records * N_PARTITIONS and all(
            len(set(offsets)) == n_records for offsets in self.offsets.values()
        )


def make_app(
    bootstrap: str, folder: Path, topic: str, collected: Collected, **bounds: Any
) -> BatchApp:
    app = BatchApp(
        f"{topic}.group",
        broker=f"storestream://{bootstrap}",
        batching=Batching(**bounds),
        broker_commit_interval=0.2,
        datadir=folder,
        loop=asyncio.get_running_loop(),
    )

    @app.agent(batch_topic(app, topic))  # type: ignore[untyped-decorator]  # Faust's is
    async def take(stream: Any) -> None:
        async for batch in stream:
            await collected.take(batch)

    return app


@asynccontextmanager
async def running(app: BatchApp) -> AsyncIterator[BatchApp]:
    app.finalize()
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


async def make_topic(bootstrap: str) -> str:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    topic = f"t{uuid4().hex[:8]}"
    await admin.create_topics([NewTopic(topic, N_PARTITIONS, 1)])
    await admin.close()
    return topic


async def produce(bootstrap: str, topic: str, n_records: int) -> None:
    """Append *n_records* to each partition, in batches of 500."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    for partition in range(N_PARTITIONS):
        for first in range(0, n_records, 500):
            batch = producer.create_batch()
            for n in range(first, min(first + 500, n_records)):
                batch.append(key=b"key", value=b"%d" % n, timestamp=None)
            await (await producer.send_batch(batch, topic, partition=partition))
    await producer.stop()


async def committed(bootstrap: str, topic: str) -> list[int | None]:
    """The group's committed offsets, as the broker tells a client outside the group."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=f"{topic}.group", enable_auto_commit=False
    )
    await consumer.start()
    tps = [TopicPartition(topic, partition) for partition in range(N_PARTITIONS)]
    consumer.assign(tps)
    offsets = [await consumer.committed(tp) for tp in tps]
    await consumer.stop()
    return offsets


async def test_every_record_is_delivered_once_and_committed(bootstrap: str, tmp_path: Path) -> None:
    topic = await make_topic(bootstrap)
    collected = Collected()
    await produce(bootstrap, topic, 3000)
    app = make_app(bootstrap, tmp_path, topic, collected, max_chunk_records=250)

    async with running(app):
        await collected.until(lambda: collected.has_all(3000))
        await produce(bootstrap, topic, 1000)
        await collected.until(lambda: collected.has_all(4000))
        await consumer_of(app).commit_and_end_transactions()

        assert await committed(bootstrap, topic) == [4000] * N_PARTITIONS
    assert all(offsets == list(range(4000)) for offsets in collected.offsets.values())


async def test_header_name_that_is_no_text_stops_no_partition(
    bootstrap: str, tmp_path: Path
) -> None:
    topic = await make_topic(bootstrap)
    collected = Collected()
    for partition in range(N_PARTITIONS):
        await publish_with_damaged_header(
            bootstrap, topic, [b"a", b"bad", b"c"], partition=partition
        )
    await produce(bootstrap, topic, 2)
    app = make_app(bootstrap, tmp_path, topic, collected)

    async with running(app):
        await collected.until(lambda: collected.has_all(5))
        await consumer_of(app).commit_and_end_transactions()

        assert await committed(bootstrap, topic) == [5] * N_PARTITIONS


async def test_open_batch_holds_back_its_partition_only(bootstrap: str, tmp_path: Path) -> None:
    topic = await make_topic(bootstrap)
    collected = Collected(keep_open=lambda b: b.partition == 0 and b.first_offset == 0)
    await produce(bootstrap, topic, 2000)
    app = make_app(bootstrap, tmp_path, topic, collected, max_chunk_records=100, max_chunks=4)

    async with running(app):
        await collected.until(lambda: len(collected.offsets[1]) == 2000)
        await consumer_of(app).commit_and_end_transactions()
        held = await committed(bootstrap, topic)
        n_read_past_it = len(collected.offsets[0])
        collected.opened[0].complete()
        await collected.until(lambda: collected.has_all(2000))
        await consumer_of(app).commit_and_end_transactions()

        assert held == [None, 2000]
        assert n_read_past_it <= 400
        assert await committed(bootstrap, topic) == [2000, 2000]


async def test_full_budget_stops_fetching_until_a_batch_completes(
    bootstrap: str, tmp_path: Path
) -> None:
    topic = await make_topic(bootstrap)
    collected = Collected(keep_open=lambda _: True)
    await produce(bootstrap, topic, 1000)
    app = make_app(
        bootstrap,
        tmp_path,
        topic,
        collected,
        max_chunk_records=50,
        max_chunks=64,  # more than there is
        max_bytes_in_flight=500,
        drain_timeout_s=0.1,
    )

    async with running(app):
        tracker = consumer_of(app).tracker
        await collected.until(lambda: tracker.bytes_in_flight >= 500)
        n_taken, n_open = collected.n_taken(), [tracker.in_flight]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await collected.until(lambda: collected.n_taken() > n_taken + 50)
        while not collected.has_all(1000):
            collected.opened.pop(0).complete()
            await collected.until(lambda: bool(collected.opened))
            n_open.append(tracker.in_flight)

        assert max(n_open) <= 2  # the ends of two partitions come together
    assert all(offsets == list(range(1000)) for offsets in collected.offsets.values())


@pytest.mark.slow
async def test_second_worker_joining_under_load_loses_and_repeats_nothing(
    bootstrap: str, tmp_path: Path
) -> None:
    topic = await make_topic(bootstrap)
    taken = asyncio.Condition()  # one for both: either may be the one to take the last record
    first, second = Collected(taken=taken), Collected(taken=taken)
    apps = [
        make_app(bootstrap, tmp_path / str(n), topic, collected, max_chunk_records=100)
        for n, collected in enumerate([first, second])
    ]
    joined = asyncio.Event()

    async with running(apps[0]):
        producing = asyncio.create_task(produce_until(joined, bootstrap, topic))
        await first.until(lambda: all(first.offsets.values()))
        async with running(apps[1]):
            await second.until(lambda: second.n_taken() > 0)
            joined.set()
            n_records = await producing
            n_all = n_records * N_PARTITIONS
            await second.until(lambda: first.n_taken() + second.n_taken() >= n_all)

    counts = [Counter(first.offsets[p] + second.offsets[p]) for p in range(N_PARTITIONS)]
    assert counts == [Counter(range(n_records))] * N_PARTITIONS
    assert await committed(bootstrap, topic) == [n_records] * N_PARTITIONS


async def produce_until(joined: asyncio.Event, bootstrap: str, topic: str) -> int:
    """Produce at a pace until *joined*, then once more; return the records of each partition."""
    n_records = 0
    while True:
        last = joined.is_set()
        await produce(bootstrap, topic, 100)
        n_records += 100
        if last:
            return n_records
        with suppress(TimeoutError):
            await asyncio.wait_for(joined.wait(), timeout=0.1)


async def test_chunks_dropped_by_a_stopped_flow_are_read_again(
    bootstrap: str, tmp_path: Path
) -> None:
    topic = await make_topic(bootstrap)
    collected = Collected()
    await produce(bootstrap, topic, 5000)
    app = make_app(bootstrap, tmp_path, topic, collected, max_chunk_records=20)

    async with running(app):
        for n_taken in (100, 1000, 3000):
            await collected.until(lambda n=n_taken: collected.n_taken() >= n)  # type: ignore[misc]
            consumer_of(app).stop_flow()
            app.flow_control.suspend()
            app.flow_control.clear()
            await asyncio.sleep(0)
            app.flow_control.resume()
            consumer_of(app).resume_flow()
        await collected.until(lambda: collected.has_all(5000))
        await consumer_of(app).commit_and_end_transactions()

        assert consumer_of(app).tracker.generation == 4
        assert await committed(bootstrap, topic) == [5000] * N_PARTITIONS


@pytest.mark.alone
async def test_stop_gives_up_on_an_open_batch_at_its_deadline_and_commits_the_rest(
    bootstrap: str, tmp_path: Path
) -> None:
    topic = await make_topic(bootstrap)
    collected = Collected(keep_open=lambda b: b.partition == 0 and b.first_offset == 100)
    await produce(bootstrap, topic, 300)
    app = make_app(
        bootstrap, tmp_path, topic, collected, max_chunk_records=100, drain_timeout_s=0.3
    )

    async with running(app):
        await collected.until(lambda: collected.has_all(300))
        before_stop = time.monotonic()
    stopped_in_s = time.monotonic() - before_stop

    assert 0.3 <= stopped_in_s < 3
    assert await committed(bootstrap, topic) == [100, 300]


@asynccontextmanager
async def worker(
    bootstrap: str, topic: str, journal: Path, *, delay_s: float, n_completed: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    arguments = [bootstrap, f"{topic}.group", topic, journal, delay_s, n_completed]
    with journal.with_suffix(".log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, WORKER, *map(str, arguments), stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def facts(journal: Path, fact: str) -> list[tuple[int, int, int]]:
    """Partition, first and last offset of each batch of which *fact* was noted."""
    lines = journal.read_text().splitlines() if journal.exists() else []
    return [(p, a, b) for noted, p, a, b in map(json.loads, lines) if noted == fact]


async def until_noted(journal: Path, enough: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not enough():
        assert time.monotonic() < deadline, journal.with_suffix(".log").read_text()[-3000:]
        await asyncio.sleep(0.05)


async def test_worker_told_to_stop_completes_what_it_took_and_commits_it(
    bootstrap: str, tmp_path: Path
) -> None:
    topic = await make_topic(bootstrap)
    journal = tmp_path / "journal"
    await produce(bootstrap, topic, 3000)

    async with worker(bootstrap, topic, journal, delay_s=0.5, n_completed=10**6) as process:
        await until_noted(journal, lambda: len(facts(journal, "completed")) >= 4)
        process.send_signal(signal.SIGTERM)
        status = await asyncio.wait_for(process.wait(), timeout=20)

    ends = [max(b for p, _, b in facts(journal, "begun") if p == n) + 1 for n in (0, 1)]
    assert status == 0
    assert sorted(facts(journal, "completed")) == sorted(facts(journal, "begun"))
    assert await committed(bootstrap, topic) == ends


@pytest.mark.slow
async def test_killed_worker_is_followed_from_the_committed_prefix(
    bootstrap: str, tmp_path: Path
) -> None:
    topic = await make_topic(bootstrap)
    journal, after = tmp_path / "journal", tmp_path / "after"
    await produce(bootstrap, topic, 1000)

    async with worker(bootstrap, topic, journal, delay_s=0.0, n_completed=4) as process:
        await until_noted(journal, lambda: len(facts(journal, "begun")) >= 8)
        process.kill()
        await process.wait()
    left_at = [at or 0 for at in await committed(bootstrap, topic)]
    async with worker(bootstrap, topic, after, delay_s=0.0, n_completed=10**6):
        await until_noted(
            after, lambda: {(0, 999), (1, 999)} <= {(p, b) for p, _, b in facts(after, "begun")}
        )

    read = {n: [(a, b) for p, a, b in facts(after, "begun") if p == n] for n in (0, 1)}
    assert [chunks[0][0] for chunks in read.values()] == left_at
    assert all(sum(b - a + 1 for a, b in read[n]) == 1000 - left_at[n] for n in (0, 1))
