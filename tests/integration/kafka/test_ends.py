"""How far a topic goes is told without reading it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from faust.types import TP
from kafka import KafkaProducer

from stream.errors import Misconfigured
from stream.kafka.ends import end_offsets

pytestmark = pytest.mark.broker


async def test_an_end_is_behind_the_last_record(
    bootstrap: str, new_topic: Callable[[int], str]
) -> None:
    """One record a batch: of larger ones the embedded broker tells where the last begins."""
    topic = new_topic(2)
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for _ in range(3):
        producer.send(topic, value=b"x", partition=1).get(timeout=30)
    producer.close()

    ends = await end_offsets([bootstrap], {TP(topic, 0), TP(topic, 1)})

    assert ends == {TP(topic, 0): 0, TP(topic, 1): 3}


async def test_nothing_assigned_is_not_asked_for() -> None:
    assert await end_offsets(["127.0.0.1:1"], set()) == {}


async def test_a_topic_that_is_gone_has_no_end(bootstrap: str) -> None:
    with pytest.raises(Misconfigured):
        await end_offsets([bootstrap], {TP("no.such.topic.v1", 0)}, timeout_s=2)


async def test_a_broker_that_is_away_tells_no_end() -> None:
    with pytest.raises(Misconfigured, match="No broker answers"):
        await end_offsets(["127.0.0.1:1"], {TP("some.topic.v1", 0)})
