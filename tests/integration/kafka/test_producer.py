"""What ``publish`` confirmed is on the broker, in order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.errors import PublishFailed
from stream.kafka.administration import Topic, create_topics
from stream.kafka.producer import BulkProducer
from stream.kafka.records import OutRecord
from tests.harness.brokers import broker_in
from tests.harness.freezing import frozen

pytestmark = pytest.mark.broker


async def read_all(bootstrap: str, topic: str, n_records: int) -> dict[int, list[bytes]]:
    """The values of *topic* by partition, read until there are *n_records*."""
    values: dict[int, list[bytes]] = {}
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        async with asyncio.timeout(20):
            while sum(map(len, values.values())) < n_records:
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    values.setdefault(tp.partition, []).extend(r.value for r in records)
    finally:
        await consumer.stop()
    return values


async def read_until(bootstrap: str, topic: str, last: bytes) -> list[bytes]:
    """The values of partition 0 up to *last*."""
    values: list[bytes] = []
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    async with asyncio.timeout(20):
        while not values or values[-1] != last:
            values.append((await consumer.getone()).value)
    await consumer.stop()
    return values


async def test_ten_thousand_records_are_confirmed_and_in_order(
    bootstrap: str, producer: BulkProducer, new_topic: Callable[[int], str]
) -> None:
    topic = new_topic(4)
    records = [OutRecord(topic, n % 4, b"key", b"%d" % n) for n in range(10_000)]

    await producer.publish(records)

    values = await read_all(bootstrap, topic, len(records))
    assert values == {p: [b"%d" % n for n in range(p, 10_000, 4)] for p in range(4)}


async def test_concurrent_calls_keep_their_order_per_partition(
    bootstrap: str, producer: BulkProducer, new_topic: Callable[[int], str]
) -> None:
    topic = new_topic(2)
    calls = [
        [
            OutRecord(topic, p, None, json.dumps([call, n]).encode())
            for n in range(50)
            for p in (0, 1)
        ]
        for call in range(20)
    ]

    await asyncio.gather(*(producer.publish(records) for records in calls))

    expected = [json.dumps([call, n]).encode() for call in range(20) for n in range(50)]
    assert await read_all(bootstrap, topic, 2_000) == {0: expected, 1: expected}


async def test_records_beyond_one_batch_go_out_in_several(
    bootstrap: str, new_topic: Callable[[int], str]
) -> None:
    topic = new_topic(1)
    small = BulkProducer([bootstrap], client_id="test", max_batch_bytes=1_000)
    await small.start()

    try:
        await small.publish([OutRecord(topic, 0, None, b"%0100d" % n) for n in range(100)])
    finally:
        await small.stop()

    assert (await read_all(bootstrap, topic, 100))[0] == [b"%0100d" % n for n in range(100)]


async def test_over_sized_record_is_refused_with_its_size_and_nothing_is_sent(
    bootstrap: str, new_topic: Callable[[int], str]
) -> None:
    topic = new_topic(2)
    small = BulkProducer([bootstrap], client_id="test", max_batch_bytes=1_000)
    await small.start()

    try:
        with pytest.raises(PublishFailed, match=rf"{topic}\[0\]: a record of 1\d\d\d bytes"):
            await small.publish(
                [OutRecord(topic, 0, None, b"good"), OutRecord(topic, 0, None, b"x" * 1_200)]
            )
        await small.publish([OutRecord(topic, 1, None, b"elsewhere")])
        with pytest.raises(PublishFailed, match=rf"{topic}\[0\]: an earlier publish to it failed"):
            await small.publish([OutRecord(topic, 0, None, b"next")])
    finally:
        await small.stop()

    assert await read_all(bootstrap, topic, 1) == {1: [b"elsewhere"]}


async def test_after_a_failure_nothing_later_is_appended(tmp_path: Path) -> None:
    broker = broker_in(tmp_path)
    broker.start()
    topic = "test.topic.v1"
    create_topics([broker.bootstrap], [Topic(topic, 1, replication=1)])
    hasty = BulkProducer(
        [broker.bootstrap], client_id="test", max_batch_bytes=1_000, delivery_timeout_s=1
    )
    await hasty.start()
    await hasty.publish([OutRecord(topic, 0, None, b"first")])

    with (
        frozen(broker.child.pid),
        pytest.raises(PublishFailed, match="99 records not confirmed in 1 s"),
    ):
        await hasty.publish([OutRecord(topic, 0, None, b"%0100d" % n) for n in range(99)])
    with pytest.raises(PublishFailed, match="an earlier publish to it failed"):
        await hasty.publish([OutRecord(topic, 0, None, b"later")])
    await hasty.stop()

    await hasty.start()
    await hasty.publish([OutRecord(topic, 0, None, b"last")])
    values = await read_until(broker.bootstrap, topic, b"last")
    await hasty.stop()
    broker.stop()
    one_batch = [b"%0100d" % n for n in range(8)]
    assert values in ([b"first", b"last"], [b"first", *one_batch, b"last"])


async def test_missing_partition_is_refused(
    producer: BulkProducer, new_topic: Callable[[int], str]
) -> None:
    topic = new_topic(2)

    with pytest.raises(PublishFailed, match=rf"{topic}\[2\]: the topic has 2 partitions"):
        await producer.publish([OutRecord(topic, 2, None, b"lost")])


async def test_dead_broker_is_noticed_in_bounded_time_and_the_producer_still_stops(
    tmp_path: Path,
) -> None:
    mortal = broker_in(tmp_path)
    mortal.start()
    create_topics([mortal.bootstrap], [Topic("test.topic.v1", 1, replication=1)])
    hasty = BulkProducer([mortal.bootstrap], client_id="test", delivery_timeout_s=0.5)
    await hasty.start()
    await hasty.publish([OutRecord("test.topic.v1", 0, None, b"kept")])

    mortal.stop()

    with pytest.raises(
        PublishFailed, match=r"test\.topic\.v1\[0\]: 1 records not confirmed in 0\.5 s"
    ):
        await hasty.publish([OutRecord("test.topic.v1", 0, None, b"lost")])
    await hasty.stop()


async def test_number_of_partitions_is_the_brokers(
    producer: BulkProducer, new_topic: Callable[[int], str]
) -> None:
    assert await producer.partitions_for(new_topic(3)) == 3


async def test_headers_and_deletions_arrive(
    bootstrap: str, producer: BulkProducer, new_topic: Callable[[int], str]
) -> None:
    topic = new_topic(1)

    await producer.publish([OutRecord(topic, 0, b"k", None, [("reason", b"gone")])])

    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        record = await asyncio.wait_for(consumer.getone(), 10)
    finally:
        await consumer.stop()
    assert (record.key, record.value, record.headers) == (b"k", None, (("reason", b"gone"),))


async def test_no_broker_is_said_at_start() -> None:
    nowhere = BulkProducer(["127.0.0.1:1"], client_id="test", request_timeout_s=1)

    with pytest.raises(PublishFailed, match=r"No broker to publish to at \['127\.0\.0\.1:1'\]"):
        await nowhere.start()
