"""A scan reads what there was when it began, whole and once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiokafka import TopicPartition

from stream.errors import ReadFailed
from stream.kafka.producer import BulkProducer
from stream.kafka.records import OutRecord
from stream.kafka.topic_scan import TopicScan
from stream.local.children import free_port
from tests.harness.damage import publish_with_damaged_header

pytestmark = pytest.mark.broker

NewTopic = Callable[[int], str]


def numbered(topic: str, n_records: int, *, n_partitions: int = 2) -> list[OutRecord]:
    return [OutRecord(topic, n % n_partitions, None, b"%d" % n) for n in range(n_records)]


async def offsets(scan: TopicScan) -> dict[tuple[str, int], list[int]]:
    found: dict[tuple[str, int], list[int]] = {}
    async for topic, partition, records in scan.to_ends():
        found.setdefault((topic, partition), []).extend(record.offset for record in records)
    return found


async def test_every_record_of_every_partition_is_read_once_and_in_order(
    bootstrap: str, producer: BulkProducer, new_topic: NewTopic
) -> None:
    full, empty = new_topic(3), new_topic(1)
    await producer.publish(numbered(full, 5_001))

    async with TopicScan([bootstrap], {full: 3, empty: 1}) as scan:
        found = await offsets(scan)

    assert found == {(full, 0): [*range(2_501)], (full, 1): [*range(2_500)]}
    assert scan.ends == {(full, 0): 2_501, (full, 1): 2_500, (full, 2): 0, (empty, 0): 0}
    assert scan.share == 1


async def test_what_is_appended_while_it_reads_is_left_for_another(
    bootstrap: str, producer: BulkProducer, new_topic: NewTopic
) -> None:
    topic = new_topic(1)
    await producer.publish(numbered(topic, 1_500, n_partitions=1))
    n_read = 0

    async with TopicScan([bootstrap], {topic: 1}) as scan:
        async for span in scan.to_ends():
            n_read += len(span.records)
            await producer.publish(numbered(topic, len(span.records), n_partitions=1))

    assert n_read == 1_500
    async with TopicScan([bootstrap], {topic: 1}, begin=scan.ends) as later:
        assert await offsets(later) == {(topic, 0): [*range(1_500, 3_000)]}


async def test_what_comes_with_the_last_records_and_is_newer_is_left_too(
    bootstrap: str, producer: BulkProducer, new_topic: NewTopic
) -> None:
    topic = new_topic(1)
    await producer.publish(numbered(topic, 100, n_partitions=1))

    async with TopicScan([bootstrap], {topic: 1}) as scan:
        # As if the rest had been appended after the broker first told the end.
        scan._ends[TopicPartition(topic, 0)] = 40
        found = await offsets(scan)

    assert found == {(topic, 0): [*range(40)]}


async def test_only_the_partitions_named_are_read_from_where_they_are_told(
    bootstrap: str, producer: BulkProducer, new_topic: NewTopic
) -> None:
    topic = new_topic(2)
    await producer.publish(numbered(topic, 20))

    async with TopicScan([bootstrap], {topic: 2}, begin={(topic, 1): 7}) as scan:
        assert await offsets(scan) == {(topic, 1): [7, 8, 9]}


async def test_what_was_appended_before_a_time_is_left_out(
    bootstrap: str, producer: BulkProducer, new_topic: NewTopic
) -> None:
    topic = new_topic(2)
    await producer.publish(numbered(topic, 20, n_partitions=1))
    async with TopicScan([bootstrap], {topic: 2}, since_ms=0) as scan:
        of_all_time = await offsets(scan)
    await producer.publish(numbered(topic, 5, n_partitions=1))
    async with TopicScan([bootstrap], {topic: 2}, begin={(topic, 0): 20}) as scan:
        [later_ms] = {span.records[0].timestamp async for span in scan.to_ends()}

    async with TopicScan([bootstrap], {topic: 2}, since_ms=later_ms) as scan:
        found = await offsets(scan)

    assert of_all_time == {(topic, 0): [*range(20)]}
    assert found == {(topic, 0): [*range(20, 25)]}


@pytest.mark.parametrize("partition", [0, 5])
async def test_place_behind_the_end_or_in_no_partition_has_no_records(
    bootstrap: str, producer: BulkProducer, new_topic: NewTopic, partition: int
) -> None:
    topic = new_topic(1)
    await producer.publish(numbered(topic, 3, n_partitions=1))

    async with TopicScan([bootstrap], {topic: 1}, begin={(topic, partition): 50}) as scan:
        found = await offsets(scan)

    assert all(offset < 3 for each in found.values() for offset in each)


async def test_it_follows_for_as_long_as_it_is_told(
    bootstrap: str, producer: BulkProducer, new_topic: NewTopic
) -> None:
    topic = new_topic(1)
    found: list[int] = []

    async with TopicScan([bootstrap], {topic: 1}, begin={(topic, 0): 0}) as scan:
        async for spans in scan.for_seconds(20):
            found += [record.offset for span in spans for record in span.records]
            if len(found) >= 2:
                break
            await producer.publish(numbered(topic, 1, n_partitions=1))

    assert found[:2] == [0, 1]


async def test_header_name_that_is_not_utf_8_does_not_stop_it(
    bootstrap: str, producer: BulkProducer, new_topic: NewTopic
) -> None:
    topic = new_topic(1)
    await publish_with_damaged_header(bootstrap, topic, [b"a", b"bad", b"c"])

    async with TopicScan([bootstrap], {topic: 1}) as scan:
        assert await offsets(scan) == {(topic, 0): [0, 1, 2]}


async def test_broker_that_is_not_there_is_said() -> None:
    with pytest.raises(ReadFailed, match="No broker to read from"):
        async with TopicScan([f"127.0.0.1:{free_port()}"], {"t": 1}):
            pass
