"""An answer counts from when it could be read, not from when it was appended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from stream.bench.listening import Listener
from stream.errors import PartDied


@pytest.mark.kafka
def test_answer_in_a_transaction_is_heard_when_it_is_committed(
    bootstrap: str, new_topic: Callable[[int], str]
) -> None:
    topic = new_topic(1)
    with Listener([bootstrap], topic, 1) as listener:
        committing_ms = asyncio.run(append_then_commit(bootstrap, topic))
        heard_ms = until_heard(listener, 0)

    assert heard_ms >= committing_ms


@pytest.mark.broker
def test_answer_that_was_never_heard_is_no_latency(
    bootstrap: str, new_topic: Callable[[int], str]
) -> None:
    with (
        Listener([bootstrap], new_topic(1), 1) as listener,
        pytest.raises(PartDied, match="never reached"),
    ):
        listener.heard_ms(0, 0)


async def append_then_commit(bootstrap: str, topic: str) -> int:
    """Append, wait until everybody who reads all there is has it, and commit; return when."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"of-{topic}")
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    await producer.begin_transaction()
    await producer.send_and_wait(topic, b"answer", partition=0)
    async with asyncio.timeout(20):
        await consumer.getone()
    committing_ms = time.time_ns() // 1_000_000
    await producer.commit_transaction()
    await producer.stop()
    await consumer.stop()
    return committing_ms


def until_heard(listener: Listener, offset: int) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            return listener.heard_ms(0, offset)
        except PartDied:
            continue
    raise AssertionError("it was never heard")
