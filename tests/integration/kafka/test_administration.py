"""Topics are created where missing, described as they are, and never changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from kafka.admin import KafkaAdminClient

from stream.errors import Misconfigured
from stream.kafka.administration import Topic, check_topics, create_topics, list_topics
from stream.kafka.epochs import topic_epochs

pytestmark = pytest.mark.broker


def test_only_missing_topics_are_created(bootstrap: str, new_topic: Callable[[int], str]) -> None:
    existing = new_topic(2)
    wanted = [Topic(existing, 5, 1), Topic(f"{existing}.more", 5, 1, {"cleanup.policy": "compact"})]

    created = create_topics([bootstrap], wanted)

    assert created == [f"{existing}.more"]
    found = list_topics([bootstrap], [topic.name for topic in wanted])
    assert [topic.partitions for topic in found] == [2, 5]


def test_differences_are_reported(bootstrap: str, new_topic: Callable[[int], str]) -> None:
    existing = new_topic(2)

    found = check_topics([bootstrap], [Topic(existing, 4, 1), Topic("no.such.topic.v1", 4, 1)])

    assert [(one.topic, one.what, one.found) for one in found] == [
        (existing, "partitions", "2"),
        ("no.such.topic.v1", "topic", "no such topic"),
    ]


@pytest.mark.embedded
def test_setting_that_tansu_does_not_report_is_said_to_be_so(
    bootstrap: str, new_topic: Callable[[int], str]
) -> None:
    (difference,) = check_topics([bootstrap], [Topic(new_topic(1), 1, 1, {"retention.ms": "1000"})])

    assert not difference.is_certain


def test_broker_out_of_reach_is_said() -> None:
    with pytest.raises(Misconfigured, match=r"No broker answers: 127\.0\.0\.1:1: .*refused"):
        list_topics(["127.0.0.1:1"])


async def test_created_again_topic_has_another_epoch(
    bootstrap: str, new_topic: Callable[[int], str]
) -> None:
    topic = new_topic(1)
    before = await topic_epochs([bootstrap], [topic])
    again = await topic_epochs([bootstrap], [topic])

    def create_again() -> None:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        admin.delete_topics([topic])
        admin.close()
        create_topics([bootstrap], [Topic(topic, 1, 1)])

    await asyncio.to_thread(create_again)
    after = await topic_epochs([bootstrap], [topic])

    assert before == again
    assert after[topic] not in {0, before[topic]}


async def test_missing_topic_has_epoch_zero(bootstrap: str) -> None:
    assert await topic_epochs([bootstrap], ["no.such.topic.v1"]) == {"no.such.topic.v1": 0}


async def test_a_topic_that_the_broker_hears_of_only_now_has_its_own_epoch(
    bootstrap: str, new_topic: Callable[[int], str]
) -> None:
    topic = f"{new_topic(1)}.late"
    asking = asyncio.create_task(topic_epochs([bootstrap], [topic]))
    assert await asyncio.to_thread(list_topics, [bootstrap], [topic]) == []

    await asyncio.to_thread(create_topics, [bootstrap], [Topic(topic, 1, 1)])

    assert (await asking)[topic] == (await topic_epochs([bootstrap], [topic]))[topic] != 0
