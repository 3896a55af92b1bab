"""Follows outputs and state while they come, past faults of the brokers."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.bench.faults.books import OUTPUTS, Books

_POLL_MS = 100
_FETCH_WAIT_MS = 100
_REQUEST_TIMEOUT_MS = 10_000


async def follow(bootstrap: Sequence[str], books: Books, n_partitions: int) -> None:
    """Write down all that comes, only what is committed of a transaction, until cancelled.

    Raises:
        KafkaError: The broker refuses it for good.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=list(bootstrap),
        client_id="storestream-bench-reading",
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=_FETCH_WAIT_MS,
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
        metadata_max_age_ms=5_000,
        retry_backoff_ms=100,
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(t.name, n) for t in OUTPUTS for n in range(n_partitions)])
        while True:
            for at, records in (await consumer.getmany(timeout_ms=_POLL_MS)).items():
                for record in records:
                    books.take((at.topic, at.partition), record)
    finally:
        await consumer.stop()
