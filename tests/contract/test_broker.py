"""What we rely on in the embedded broker, and the faults we go around.

A fault that is gone fails here too: then the way around it may go.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from stream.kafka.administration import Topic, create_topics, list_topics, topic_ids
from stream.local.broker import EmbeddedBroker

pytestmark = pytest.mark.broker

NewTopic = Callable[[int], str]


@pytest.fixture(scope="session")
def bootstrap(broker: EmbeddedBroker) -> str:
    """This contract is Tansu's, whatever the other tests run on."""
    return broker.bootstrap


@pytest_asyncio.fixture
async def plain(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    """aiokafka's own producer: this pins the broker, not our code."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=64 * 1024 * 1024)
    await producer.start()
    yield producer
    await producer.stop()


async def append(plain: AIOKafkaProducer, topic: str, values: list[bytes | None]) -> None:
    """Append all in one record batch."""
    batch = plain.create_batch()
    for value in values:
        batch.append(timestamp=None, key=b"k", value=value, headers=[("h", b"\x00\xff")])
    await (await plain.send_batch(batch, topic, partition=0))


@pytest_asyncio.fixture
async def consumer(bootstrap: str) -> AsyncIterator[AIOKafkaConsumer]:
    reader = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=100
    )
    await reader.start()
    yield reader
    await reader.stop()


async def read(consumer: AIOKafkaConsumer, topic: str, n_records: int) -> list[Any]:
    consumer.assign([TopicPartition(topic, 0)])
    records: list[Any] = []
    async with asyncio.timeout(15):
        while len(records) < n_records:
            for fetched in (await consumer.getmany(timeout_ms=100)).values():
                records += fetched
    return records


async def test_keys_values_headers_deletions_and_offsets_are_kept(
    plain: AIOKafkaProducer, consumer: AIOKafkaConsumer, new_topic: NewTopic
) -> None:
    topic = new_topic(1)
    await append(plain, topic, [b"a", None, b"c"])

    records = await read(consumer, topic, 3)

    assert [(r.offset, r.key, r.value) for r in records] == [
        (0, b"k", b"a"),
        (1, b"k", None),
        (2, b"k", b"c"),
    ]
    assert {r.headers for r in records} == {(("h", b"\x00\xff"),)}


async def test_timestamp_is_the_time_of_the_append(
    plain: AIOKafkaProducer, consumer: AIOKafkaConsumer, new_topic: NewTopic
) -> None:
    topic = new_topic(1)
    before_ms = int(time.time() * 1000)
    await append(plain, topic, [b"a"])
    after_ms = int(time.time() * 1000)

    (record,) = await read(consumer, topic, 1)

    assert before_ms <= record.timestamp <= after_ms


async def test_fetch_says_the_true_high_watermark(
    plain: AIOKafkaProducer, consumer: AIOKafkaConsumer, new_topic: NewTopic
) -> None:
    topic = new_topic(1)
    await append(plain, topic, [b"v"] * 18)
    await append(plain, topic, [b"v"] * 2)

    await read(consumer, topic, 20)

    assert consumer.highwater(TopicPartition(topic, 0)) == 20


async def test_fetch_of_an_empty_partition_says_high_watermark_zero(
    consumer: AIOKafkaConsumer, new_topic: NewTopic
) -> None:
    tp = TopicPartition(new_topic(1), 0)
    consumer.assign([tp])

    async with asyncio.timeout(15):
        while consumer.highwater(tp) is None:
            await consumer.getmany(timeout_ms=100)

    assert consumer.highwater(tp) == 0
    assert await consumer.position(tp) == 0


async def test_fault_list_offsets_answers_the_base_of_the_last_batch_plus_one(
    plain: AIOKafkaProducer, consumer: AIOKafkaConsumer, new_topic: NewTopic
) -> None:
    topic = new_topic(1)
    await append(plain, topic, [b"v"] * 17)
    await append(plain, topic, [b"v"] * 3)

    ends = await consumer.end_offsets([TopicPartition(topic, 0)])

    assert ends == {TopicPartition(topic, 0): 18}, "20 would be right: the fault is gone"


async def test_fault_overwritten_keys_stay_in_a_compacted_topic(
    bootstrap: str, plain: AIOKafkaProducer, consumer: AIOKafkaConsumer, new_topic: NewTopic
) -> None:
    topic = f"{new_topic(1)}.compacted"
    create_topics([bootstrap], [Topic(topic, 1, 1, {"cleanup.policy": "compact"})])
    await append(plain, topic, [b"%d" % n for n in range(10)])

    assert len(await read(consumer, topic, 10)) == 10


async def test_topics_have_ids(bootstrap: str, new_topic: NewTopic) -> None:
    one, other = new_topic(1), new_topic(1)

    ids = await asyncio.to_thread(topic_ids, [bootstrap], [one, other])

    assert len(set(ids.values())) == 2
    assert None not in ids.values()


async def test_only_settings_given_at_creation_are_reported(
    bootstrap: str, new_topic: NewTopic
) -> None:
    plain_topic = new_topic(1)
    topic = f"{plain_topic}.compacted"
    create_topics([bootstrap], [Topic(topic, 1, 1, {"cleanup.policy": "compact"})])

    found = await asyncio.to_thread(list_topics, [bootstrap], [plain_topic, topic])

    assert [dict(one.config) for one in found] == [{}, {"cleanup.policy": "compact"}]


async def test_record_goes_to_the_partition_it_names(
    bootstrap: str, plain: AIOKafkaProducer, new_topic: NewTopic
) -> None:
    topic = new_topic(4)

    appended = [await plain.send_and_wait(topic, b"v", partition=p) for p in (3, 0, 3)]

    assert [(a.partition, a.offset) for a in appended] == [(3, 0), (0, 0), (3, 1)]


async def test_record_batch_of_a_megabyte_is_taken(
    plain: AIOKafkaProducer, consumer: AIOKafkaConsumer, new_topic: NewTopic
) -> None:
    topic = new_topic(1)
    await append(plain, topic, [b"x" * 1_000_000])

    (record,) = await read(consumer, topic, 1)

    assert len(record.value) == 1_000_000


async def test_record_batch_beyond_apache_kafkas_limit_is_taken_too(
    plain: AIOKafkaProducer, new_topic: NewTopic
) -> None:
    """Apache Kafka refuses it at 1,048,588 bytes: our own limit must come before the broker's."""
    try:
        await append(plain, new_topic(1), [b"x" * 3_000_000])
    except MessageSizeTooLargeError:
        pytest.fail("the broker has a limit now: say it in the docstring of MAX_BATCH_BYTES")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_fault_no_idempotent_producer(bootstrap: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)

    try:
        with pytest.raises((KafkaError, TimeoutError)):
            await asyncio.wait_for(producer.start(), 2)
    finally:
        await producer.stop()


async def test_fault_asking_for_a_missing_topic_creates_it(
    bootstrap: str, plain: AIOKafkaProducer, new_topic: NewTopic
) -> None:
    """Apache Kafka does so too unless ``auto.create.topics.enable`` is off, as ours has it."""
    missing = f"{new_topic(1)}.missing"

    await plain.partitions_for(missing)

    (created,) = await asyncio.to_thread(list_topics, [bootstrap], [missing])
    assert created.name == missing


async def test_group_member_gets_all_partitions_and_its_commit_is_kept(
    bootstrap: str, plain: AIOKafkaProducer, new_topic: NewTopic
) -> None:
    topic = new_topic(2)
    await append(plain, topic, [b"v"] * 20)
    first, second = (TopicPartition(topic, partition) for partition in (0, 1))
    group = {"bootstrap_servers": bootstrap, "group_id": f"{topic}.group"}
    timings = {
        "session_timeout_ms": 10_000,
        "heartbeat_interval_ms": 3_000,
        "rebalance_timeout_ms": 10_000,
    }

    async with AIOKafkaConsumer(topic, **group, **timings, enable_auto_commit=False) as member:
        assigned = member.assignment()
        await member.commit({first: 7})
    async with AIOKafkaConsumer(**group, enable_auto_commit=False) as observer:
        observer.assign([first, second])
        committed = [await observer.committed(tp) for tp in (first, second)]
        position = await observer.position(first)

    assert assigned == {first, second}
    assert committed == [7, None]
    assert position == 7
