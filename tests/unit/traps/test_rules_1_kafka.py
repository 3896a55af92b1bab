"""The rules of the stream in batches, one test each: consumer, completion, producer, and so on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from pathlib import Path

import pytest
from faust.types import TP

from stream.app import create_app
from stream.codec import encode
from stream.errors import PartitionRevoked
from stream.kafka.partitioning import partition_of
from stream.kafka.records import OutRecord, RecordBatch
from stream.kafka.store import Form, StateStore
from stream.kafka.transport import consumer_of
from stream.pipeline.batcher import Batcher, Row
from stream.settings import Settings
from stream.topics import EVENTS
from tests.unit.builders import Record, make_view
from tests.unit.pipeline.fakes import batch_of, settled
from tests.unit.pipeline.scenes import RecommendScene
from tests.unit.traps.sides import TP0, our_side, stock_side


async def test_rule_1_consumer_hands_on_a_chunk_as_one_message(tmp_path: Path) -> None:
    async with stock_side(tmp_path, range(10)) as stock:
        assert len(await stock.read()) == 10

    async with our_side(tmp_path, range(10)) as ours:
        ours.app.consumer_generation_id = 7
        (message,) = await ours.read()
        batch = message.value

        assert isinstance(batch, RecordBatch)
        assert (message.offset, message.generation_id) == (9, 7)
        assert (batch.topic, batch.partition) == TP0
        assert [record.offset for record in batch.records] == [*range(10)]


async def test_rule_1_completion_is_ours_and_not_fausts_ack(tmp_path: Path) -> None:
    async with stock_side(tmp_path, range(10)) as stock:
        for message in await stock.read():
            stock.consumer.ack(message)
        await stock.consumer.commit()

        assert stock.partition.committed == 10

    async with our_side(tmp_path, range(10)) as ours:
        (message,) = await ours.read()
        ours.consumer.ack(message)
        await ours.consumer._add_gap(TP0, 0, 50)
        await ours.consumer.commit()
        acked = ours.partition.committed
        await ours.consumer.perform_seek()
        (again,) = await ours.batches()
        message.value.complete()
        await ours.consumer.commit()
        stale = ours.partition.committed
        again.complete()
        await ours.consumer.commit()

        assert (acked, stale, ours.partition.committed) == (None, None, 10)


#: From ``org.apache.kafka.common.utils.UtilsTest.testMurmur2``.
JAVA_SAYS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "hashed"), JAVA_SAYS.items())
def test_rule_1_producer_partitions_by_the_hash_of_java(key: bytes, hashed: int) -> None:
    assert partition_of(key, 2**31) == hashed & 0x7FFFFFFF
    assert partition_of(key, 7) == (hashed & 0x7FFFFFFF) % 7


@pytest.mark.parametrize("value", [encode(make_view(0)), b"no event"], ids=["answer", "letter"])
async def test_rule_1_producer_confirms_before_a_batch_is_complete(value: bytes) -> None:
    scene = RecommendScene()
    scene.log.may_confirm.clear()
    batch = await scene.take(batch_of(EVENTS.name, [Record(value)]))
    before = batch.completed

    scene.log.may_confirm.set()
    await settled()

    assert (before, batch.completed) == (False, True)


async def test_rule_1_state_is_written_in_bulk_and_dropped_when_revoked(tmp_path: Path) -> None:
    changelog = Changelog()
    store = StateStore("changelog", changelog, Form(dump=str.encode, load=bytes.decode))
    state = store.open(0)
    for n in range(100):
        state.put(b"ann", f"{n}")
        state.put(b"bob", f"{n}")
    await state.flush()
    store.drop(0)

    assert [len(write) for write in changelog.writes] == [2]
    assert {(record.key, record.value) for record in changelog.writes[0]} == {
        (b"ann", b"99"),
        (b"bob", b"99"),
    }
    with pytest.raises(PartitionRevoked):
        state.put(b"ann", "late")
    assert store.open(0).get(b"ann") is None
    async with stock_side(tmp_path, range(1)) as stock, our_side(tmp_path, range(1)) as ours:
        standbys = [side.app.conf.table_standby_replicas for side in (stock, ours)]
        assert standbys == [1, 0]


async def test_rule_1_state_is_recovered_before_the_partitions_first_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    may_end, resumed = asyncio.Event(), list[TP]()

    async def recovering(*_: object, **__: object) -> None:
        await may_end.wait()

    async def nothing(*_: object) -> None:
        return

    monkeypatch.setattr("stream.agents.worker.recover_all", recovering)
    app = create_app(Settings(inference="none", metrics_port=0))
    app.loop, consumer = asyncio.get_running_loop(), consumer_of(app)
    monkeypatch.setattr(app._lookout, "look", nothing)
    monkeypatch.setattr(consumer, "assignment", lambda: {TP0})
    monkeypatch.setattr(consumer, "perform_seek", nothing)
    monkeypatch.setattr(consumer, "resume_partitions", resumed.extend)
    resuming = asyncio.create_task(app.tables.recovery._resume_streams(app.consumer_generation_id))
    await settled()
    before = (resuming.done(), [*resumed], app.flow_control.is_active(), app.recovered)
    may_end.set()
    await resuming
    consumer._thread.thread_loop.close()

    assert before == (False, [], False, False)
    assert (resumed, app.flow_control.is_active(), app.recovered) == ([TP0], True, True)


async def test_rule_1_batcher_lets_rows_gather_while_inference_is_busy() -> None:
    model = Model()
    batcher = Batcher[int, None](
        model,
        merge=lambda waiting, newer: waiting + newer,
        max_rows=64,
        max_in_flight=1,
        max_unconfirmed=8,
        on_failure=model.failures.append,
    )
    batcher.add(Row((0, b"ann"), 1))
    await settled()
    for n in range(10):
        batcher.add(Row((0, b"visitor-%d" % (n % 5)), 1))
        await settled()
    while_busy = list(model.asked)
    model.is_free.set()
    await settled()

    assert (while_busy, model.asked) == ([[1]], [[1], [2] * 5])
    assert model.failures == []


async def test_rule_1_backpressure_stops_the_fetch_at_the_budget(tmp_path: Path) -> None:
    async with our_side(tmp_path, range(5), range(5, 10), max_bytes_in_flight=1) as ours:
        fetch = ours.consumer.getmany
        first = [message.value async for _, message in fetch(0.01)]
        full = [message async for _, message in fetch(0.01)]
        first[0].complete()
        second = [message.value async for _, message in fetch(0.01)]

        assert full == []
        assert [batch.first_offset for batch in first + second] == [0, 5]


async def test_rule_1_backpressure_bounds_the_chunks_of_a_partition(tmp_path: Path) -> None:
    chunks = [range(n, n + 5) for n in range(0, 50, 5)]
    async with our_side(tmp_path, *chunks, max_chunk_records=5, max_chunks=2) as ours:
        opened = []
        for _ in range(10):
            opened += [message.value async for _, message in ours.consumer.getmany(0.01)]

        assert [batch.first_offset for batch in opened] == [0, 5]


class Changelog:
    """Keeps each write apart."""

    def __init__(self) -> None:
        self.writes: list[Sequence[OutRecord]] = []

    async def publish(self, records: Sequence[OutRecord]) -> None:
        self.writes.append(records)


class Model:
    """Is busy until told to be free."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.failures: list[BaseException] = []
        self.is_free = asyncio.Event()

    async def score(self, rows: Sequence[Row[int]]) -> None:
        self.asked.append([row.payload for row in rows])
        await self.is_free.wait()

    async def answer(self, rows: Sequence[Row[int]], scores: None) -> Awaitable[None]:
        return settled()
