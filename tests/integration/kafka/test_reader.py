"""A reader knows the whole topic before it is ready, and follows it from then on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from stream.kafka.administration import Topic, create_topics
from stream.kafka.producer import BulkProducer
from stream.kafka.reader import TopicReader
from stream.kafka.records import InRecord, OutRecord
from stream.local.broker import EmbeddedBroker
from tests.harness.damage import publish_with_damaged_header

pytestmark = pytest.mark.broker

TOPIC = "test.topic.v1"


class Shelf:
    """Keeps what a reader is told, the last value of each key."""

    def __init__(self) -> None:
        self.values: dict[bytes | None, bytes | None] = {}
        self.changed = asyncio.Event()

    def apply(self, records: Sequence[InRecord]) -> None:
        self.values.update((record.key, record.value) for record in records)
        self.changed.set()


async def test_all_partitions_are_known_when_it_is_ready(
    bootstrap: str, producer: BulkProducer, new_topic: Callable[[int], str]
) -> None:
    topic = new_topic(3)
    await producer.publish([OutRecord(topic, n % 2, b"%d" % n, b"v") for n in range(5_000)])
    shelf = Shelf()
    reader = TopicReader([bootstrap], {topic: shelf.apply})

    await reader.start()
    await reader.wait_ready(20)

    assert len(shelf.values) == 5_000
    assert reader.ready
    await reader.stop()
    assert not reader.ready


async def test_it_follows_what_is_appended_later(
    bootstrap: str, producer: BulkProducer, new_topic: Callable[[int], str]
) -> None:
    topic = new_topic(1)
    shelf = Shelf()
    reader = TopicReader([bootstrap], {topic: shelf.apply})
    await reader.start()
    await reader.wait_ready(20)

    await producer.publish([OutRecord(topic, 0, b"k", b"late")])
    await asyncio.wait_for(shelf.changed.wait(), 20)

    assert shelf.values == {b"k": b"late"}
    await reader.stop()


async def test_several_topics_are_all_known_and_each_has_its_own_listener(
    bootstrap: str, producer: BulkProducer, new_topic: Callable[[int], str]
) -> None:
    one, other, empty = new_topic(2), new_topic(1), new_topic(1)
    await producer.publish([OutRecord(one, n % 2, b"%d" % n, b"v") for n in range(3_000)])
    await producer.publish([OutRecord(other, 0, b"k", b"v")])
    shelves = {topic: Shelf() for topic in (one, other, empty)}
    reader = TopicReader([bootstrap], {topic: shelves[topic].apply for topic in shelves})

    await reader.start()
    await reader.wait_ready(20)

    assert [len(shelf.values) for shelf in shelves.values()] == [3_000, 1, 0]
    await reader.stop()


async def test_exception_of_the_listener_ends_it_and_is_told(
    bootstrap: str, producer: BulkProducer, new_topic: Callable[[int], str]
) -> None:
    def refuse(records: Sequence[InRecord]) -> None:
        raise LookupError("no shelf for it")

    topic = new_topic(1)
    await producer.publish([OutRecord(topic, 0, b"k", b"v")])
    reader = TopicReader([bootstrap], {topic: refuse})
    await reader.start()

    with pytest.raises(LookupError, match="no shelf for it"):
        await reader.wait_ready(20)

    assert isinstance(reader.failure, LookupError)
    assert not reader.ready
    await reader.stop()


async def test_without_a_broker_it_waits_and_stops_cleanly() -> None:
    reader = TopicReader(["127.0.0.1:1"], {"any.topic": Shelf().apply}, retry_s=0.01)
    await reader.start()

    with pytest.raises(TimeoutError):
        await reader.wait_ready(0.2)

    await reader.stop()
    assert reader.failure is None


@pytest.mark.embedded
async def test_it_goes_on_after_the_broker_went_away_and_came_back(tmp_path: Path) -> None:
    """A broker in memory forgets: the record at the offset it waits for is appended anew."""
    mortal = EmbeddedBroker(tmp_path)
    mortal.start()
    await publish(mortal.bootstrap, [b"first"])
    shelf = Shelf()
    reader = TopicReader([mortal.bootstrap], {TOPIC: shelf.apply}, retry_s=0.05)
    await reader.start()
    await reader.wait_ready(20)
    shelf.changed.clear()

    mortal.stop()
    mortal.start(port=mortal.port)
    await publish(mortal.bootstrap, [b"first again", b"second"])
    await asyncio.wait_for(shelf.changed.wait(), 20)

    assert shelf.values == {b"k": b"second"}
    assert reader.ready
    await reader.stop()
    mortal.stop()


async def publish(bootstrap: str, values: Sequence[bytes]) -> None:
    """Create the topic and append *values*, with a producer that lives no longer than that."""
    create_topics([bootstrap], [Topic(TOPIC, 1, replication=1)])
    producer = BulkProducer([bootstrap], client_id="test")
    await producer.start()
    await producer.publish([OutRecord(TOPIC, 0, b"k", value) for value in values])
    await producer.stop()


async def test_header_name_that_is_no_text_hides_no_record(
    bootstrap: str, producer: BulkProducer, new_topic: Callable[[int], str]
) -> None:
    topic = new_topic(1)
    await publish_with_damaged_header(bootstrap, topic, [b"a", b"bad", b"c"])
    await producer.publish([OutRecord(topic, 0, b"k", b"next batch")])
    seen: list[bytes | None] = []
    reader = TopicReader([bootstrap], {topic: lambda rs: seen.extend(r.value for r in rs)})

    await reader.start()
    await reader.wait_ready(20)

    assert seen == [b"a", b"bad", b"c", b"next batch"]
    await reader.stop()
