"""Topics are changed behind the back of a watch, on a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from kafka.admin import KafkaAdminClient

from stream.errors import Misconfigured, TopicMismatch, TopicRecreated
from stream.kafka.administration import Topic, create_topics
from stream.kafka.epochs import topic_epochs
from stream.kafka.topic_watch import TopicWatch

pytestmark = pytest.mark.broker


@pytest.fixture
def admin(bootstrap: str) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=bootstrap)
    yield client
    client.close()


async def test_topics_that_stay_as_they_are_are_no_news(
    bootstrap: str, new_topic: Callable[[int], str]
) -> None:
    watch = TopicWatch([bootstrap], partitions=2, read=[new_topic(2)], written=[new_topic(2)])
    await watch.begin()

    await watch.look({})
    await watch.look({})


async def test_other_partition_counts_are_refused_at_the_start(
    bootstrap: str, new_topic: Callable[[int], str]
) -> None:
    topic = new_topic(3)

    with pytest.raises(TopicMismatch, match=f"expected 2 partitions .* {topic} has 3"):
        await TopicWatch([bootstrap], partitions=2, read=[topic], written=[]).begin()


@pytest.mark.kafka
async def test_added_partitions_are_refused(
    bootstrap: str, new_topic: Callable[[int], str], admin: KafkaAdminClient
) -> None:
    topic = new_topic(2)
    watch = TopicWatch([bootstrap], partitions=2, read=[topic], written=[])
    await watch.begin()
    admin.create_partitions({topic: 3})

    with pytest.raises(TopicMismatch, match=f"{topic} has 3"):
        await watch.look({})


async def test_a_topic_that_is_gone_is_looked_for_once_more(
    bootstrap: str, new_topic: Callable[[int], str], admin: KafkaAdminClient
) -> None:
    topic = new_topic(2)
    watch = TopicWatch([bootstrap], partitions=2, read=[topic], written=[])
    await watch.begin()
    admin.delete_topics([topic])

    await watch.look({})

    with pytest.raises(TopicMismatch, match=f"{topic} is not there"):
        await watch.look({})


async def test_a_topic_that_is_read_and_was_created_again_is_refused(
    bootstrap: str, new_topic: Callable[[int], str], admin: KafkaAdminClient
) -> None:
    topic = new_topic(2)
    watch = TopicWatch([bootstrap], partitions=2, read=[topic], written=[])
    await watch.begin()
    await asyncio.to_thread(create_again, admin, bootstrap, topic)

    with pytest.raises(TopicRecreated, match=f"{topic} was deleted and created again"):
        await watch.look({})


async def test_what_counts_is_the_epoch_that_records_bear(
    bootstrap: str, new_topic: Callable[[int], str], admin: KafkaAdminClient
) -> None:
    """Between two assignments a topic may change: what is read now is read under the new epoch."""
    topic = new_topic(2)
    watch = TopicWatch([bootstrap], partitions=2, read=[topic], written=[])
    await watch.begin()
    await asyncio.to_thread(create_again, admin, bootstrap, topic)

    await watch.look(await topic_epochs([bootstrap], [topic]))


async def test_a_topic_that_is_only_written_may_be_created_again(
    bootstrap: str, new_topic: Callable[[int], str], admin: KafkaAdminClient
) -> None:
    topic = new_topic(2)
    watch = TopicWatch([bootstrap], partitions=2, read=[], written=[topic])
    await watch.begin()
    await asyncio.to_thread(create_again, admin, bootstrap, topic)

    await watch.look({})


async def test_a_broker_that_is_away_says_nothing_of_the_topics() -> None:
    watch = TopicWatch(["127.0.0.1:1"], partitions=2, read=["some.topic.v1"], written=[])

    with pytest.raises(Misconfigured, match="No broker answers"):
        await watch.look({})


def create_again(admin: KafkaAdminClient, bootstrap: str, topic: str) -> None:
    admin.delete_topics([topic])
    create_topics([bootstrap], [Topic(topic, 2, 1)])
