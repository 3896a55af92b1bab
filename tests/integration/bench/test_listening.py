"""An answer counts from when it could be read, not from when it was appended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaProducer

from stream.bench.listening import Listener
from stream.errors import PartDied
from tests.harness.waiting import until


@pytest.mark.kafka
def test_answer_in_a_transaction_is_heard_when_it_is_committed(
    bootstrap: str, new_topic: Callable[[int], str]
) -> None:
    topic = new_topic(2)
    with Listener([bootstrap], topic, 2) as listener:
        committing_ms = asyncio.run(append_then_commit(bootstrap, topic, listener))
        until(lambda: is_heard(listener, 0), "the answer is heard")

        assert listener.heard_ms(0, 0) >= committing_ms


@pytest.mark.broker
def test_answer_that_was_never_heard_is_no_latency(
    bootstrap: str, new_topic: Callable[[int], str]
) -> None:
    with (
        Listener([bootstrap], new_topic(1), 1) as listener,
        pytest.raises(PartDied, match="never reached"),
    ):
        listener.heard_ms(0, 0)


async def append_then_commit(bootstrap: str, topic: str, listener: Listener) -> int:
    """Append, and commit once the listener has what came after it elsewhere; return when."""
    transactional = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"of-{topic}")
    plain = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await transactional.start()
    await plain.start()
    await transactional.begin_transaction()
    await transactional.send_and_wait(topic, b"answer", partition=0)
    await plain.send_and_wait(topic, b"later", partition=1)
    until(lambda: is_heard(listener, 1), "what came later is heard")
    committing_ms = time.time_ns() // 1_000_000
    await transactional.commit_transaction()
    await transactional.stop()
    await plain.stop()
    return committing_ms


def is_heard(listener: Listener, partition: int) -> bool:
    try:
        listener.heard_ms(partition, 0)
    except PartDied:
        return False
    return True
