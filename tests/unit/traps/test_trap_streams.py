"""Faust's ``take``, its tables and its queues, and what is in their place: 3, 4, 13, 18, 19, 20."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import faust
import pytest

from stream.agents.listening import listen
from stream.codec import encode
from stream.domain.calendar import DAY_MS
from stream.domain.product_folding import apply_movement
from stream.domain.products import Product
from stream.errors import InferenceUnavailable
from stream.kafka.records import OutRecord, RecordBatch
from stream.kafka.store import Form, StateStore
from stream.topics import EVENTS, TopicSpec
from tests.unit.builders import NOON_MS, TODAY, Record, make_movement, make_view
from tests.unit.pipeline.fakes import batch_of, settled
from tests.unit.pipeline.scenes import RecommendScene
from tests.unit.traps.sides import TP0, Side, our_side, record_at, stock_side


async def test_trap_03_failing_batch_is_acked(tmp_path: Path) -> None:
    async with stock_side(tmp_path, range(3)) as stock:
        with pytest.raises(InferenceUnavailable):
            await _fail_in_a_batch(stock)
        await stock.consumer.commit()

        assert stock.partition.committed == 3

    async with our_side(tmp_path, range(3)) as ours:
        (batch,) = await ours.batches()
        failures = await _failures_of_an_agent(ours, batch, InferenceUnavailable())
        await ours.consumer.commit()

        assert [type(failure) for failure in failures] == [InferenceUnavailable]
        assert (batch.completed, ours.partition.committed) == (False, None)


async def test_trap_04_take_mixes_partitions(tmp_path: Path) -> None:
    async with stock_side(tmp_path, range(1)) as stock:
        await stock.read()
        to_message = stock.consumer._to_message
        other = TP0._replace(partition=1)
        stock.messages.append(to_message(other, record_at(0, partition=1)))
        channel = stock.app.channel()
        async with aclosing(channel.stream().take_events(2, within=5)) as batches:
            taking = asyncio.create_task(anext(batches))
            await _put(stock, channel)
            events = await taking

        assert {event.message.partition for event in events} == {0, 1}

    async with our_side(tmp_path, range(1)) as ours:
        fetched = {TP0: [record_at(0)], other: [record_at(0, partition=1)]}
        opened = await _opened(ours, fetched)

        assert [(batch.partition, [*batch.records]) for batch in opened] == [
            (at.partition, records) for at, records in fetched.items()
        ]


async def test_trap_13_closed_window_has_no_data_of_its_window(tmp_path: Path) -> None:
    told = []
    async with stock_side(tmp_path, range(1)) as stock:
        table = stock.app.Table("demand", on_window_close=lambda *its: told.append(its))
        table.window = faust.HoppingWindow(10, 5, expires=1)
        early, late = ("milk", (0.0, 9.9)), ("milk", (5.0, 14.9))
        table._data = {early: [1, 2], late: [2, 3]}
        for key in (early, late):
            table._maybe_set_key_ttl(key, 0)
        await table._del_old_keys()

        assert told == [(late, [2, 3])]  # not [1, 2, 2, 3], and nothing of the early one

    product = Product("milk")
    for n, day in enumerate((0, 1, 0)):
        at_ms = NOON_MS + day * DAY_MS + n
        product = apply_movement(product, make_movement(n, units=-2, occurred_at_ms=at_ms))
    assert dict(product.demand) == {TODAY: 4, TODAY + 1: 2}


async def test_trap_18_table_takes_no_value_serializer(tmp_path: Path) -> None:
    async with stock_side(tmp_path, range(1)) as stock:
        with pytest.raises(TypeError, match="value_serializer"):
            stock.app.Table("sessions", value_serializer="raw")

    log = Log()
    owned = StateStore("changelog", log, Form(dump=str.encode, load=bytes.decode)).open(0)
    owned.put(b"ann", "milk")
    await owned.flush()
    assert log.records == [OutRecord("changelog", 0, b"ann", b"milk")]


async def test_trap_19_table_is_written_only_from_within_an_event(tmp_path: Path) -> None:
    async with stock_side(tmp_path, range(1)) as stock:
        table = stock.app.Table("sessions", partitions=8)
        with pytest.raises(TypeError, match="outside of stream iteration"):
            table["ann"] = "milk"

    log = Log()
    store = StateStore("changelog", log, Form(dump=str.encode, load=bytes.decode))
    for partition in (3, 5):
        store.open(partition).put(b"ann", "milk")
        await store[partition].flush()
    assert [record.partition for record in log.records] == [3, 5]


async def test_trap_20_put_hangs_until_the_flow_is_resumed(tmp_path: Path) -> None:
    async with stock_side(tmp_path, range(1)) as stock:
        (message,) = await stock.read()
        channel, seen = stock.app.channel(), list[object]()
        stock.app.flow_control.suspend()

        async def agent() -> None:
            async for value in channel.stream():
                seen.append(value)

        working = asyncio.create_task(agent())
        await settled()
        putting = asyncio.create_task(channel.put(stock.app.create_event(None, 1, None, message)))
        await settled()
        before = putting.done()
        stock.app.flow_control.resume()
        await settled()
        after = putting.done()
        working.cancel()
        await asyncio.wait([working])

        assert (before, after) == (False, True)

    # Our pipelines and our transport's messages know neither app nor flow: nothing to resume.
    scene = RecommendScene()
    batch = await scene.take(batch_of(EVENTS.name, [Record(encode(make_view(0)))]))
    assert batch.completed


class Log:
    """A changelog."""

    def __init__(self) -> None:
        self.records: list[OutRecord] = []

    async def publish(self, records: Sequence[OutRecord]) -> None:
        self.records += records


async def _fail_in_a_batch(side: Side) -> None:
    """Leave the body of a loop over ``take`` as an agent does whose inference failed."""
    channel = side.app.channel()
    async with aclosing(channel.stream().take(3, within=5)) as batches:
        taking = asyncio.create_task(anext(batches))
        await _put(side, channel)
        await taking
        raise InferenceUnavailable


async def _put(side: Side, channel: Any) -> None:
    """Hand what was read, or else the partition, to whoever streams *channel*."""
    await settled()
    for message in side.messages or await side.read():
        message.incref()
        await channel.put(side.app.create_event(None, message.value, None, message))


async def _opened(side: Side, fetched: dict[Any, list[Any]]) -> list[RecordBatch]:
    """Return what the consumer makes of one fetch that brought *fetched*."""

    async def fetch(*_: object) -> dict[Any, list[Any]]:
        return fetched

    consumer = side.consumer
    consumer.tracker.restart(fetched)
    consumer._getmany = fetch
    batches: list[RecordBatch] = await consumer._fetch_of({*fetched}, 1.0)
    return batches


async def _failures_of_an_agent(
    side: Side, batch: RecordBatch, failure: Exception
) -> list[BaseException]:
    """Run an agent over *batch* whose body fails; it must end as if nothing had happened."""
    failures: list[BaseException] = []

    def refuse(_: RecordBatch) -> None:
        raise failure

    async def batches() -> AsyncIterator[RecordBatch]:
        yield batch

    topic = TopicSpec(TP0.topic, "visitor", "in")
    listen(side.app, "agent", [topic], accept=refuse, on_failure=failures.append)
    await side.app.agents["agent"].fun(batches())
    return failures
