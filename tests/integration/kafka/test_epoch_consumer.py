"""What is committed for one life of a topic is not taken for another, on a broker that keeps marks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from stream.kafka.epoch_consumer import EpochConsumer

pytestmark = pytest.mark.kafka


async def test_an_offset_of_an_earlier_topic_is_not_gone_on_from(
    bootstrap: str, new_topic: Callable[[int], str]
) -> None:
    topic = new_topic(1)
    partition, epochs = TopicPartition(topic, 0), {topic: 1}
    consumer = EpochConsumer(
        epochs=lambda: epochs,
        bootstrap_servers=bootstrap,
        group_id=f"{topic}.group",
        enable_auto_commit=False,
    )
    await consumer.start()
    consumer.assign([partition])
    nothing_yet = await consumer.committed(partition)
    await consumer.commit({partition: OffsetAndMetadata(5, "")})
    own = await consumer.committed(partition)
    epochs[topic] = 2
    of_the_old = await consumer.committed(partition)
    await consumer.stop()

    assert (nothing_yet, own, of_the_old) == (None, 5, None)
