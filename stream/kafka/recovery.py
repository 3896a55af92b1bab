"""Rebuilding the state of partitions from their changelog, in bulk.

The end comes from the fetch response: Tansu's ListOffsets answers the base of the last record
batch plus one, and a recovery that believes it restores too little without a word.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from stream.errors import PartitionRevoked, RecoveryFailed
from stream.kafka.ending import ended
from stream.kafka.records import InRecord
from stream.kafka.store import StateStore
from stream.kafka.tolerant import read_tolerantly

_FETCH_BYTES = 4 * 1024 * 1024
# Applied between two turns of the event loop: tens of ms, so that other tasks go on.
_MAX_RECORDS = 4_000
# Spent once for each changelog of an assignment, where nothing is left to read.
_POLL_MS = 20


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What a recovery read: records applied, keys alive after it, seconds taken."""

    records: int
    keys: int
    seconds: float


async def recover(
    store: StateStore[Any],
    partitions: Iterable[int],
    bootstrap: Sequence[str],
    *,
    cancelled: Callable[[], bool],
    deadline_s: float,
    client_id: str = "recovery",
    security: Mapping[str, object] | None = None,
) -> RecoveryReport:
    """Apply the changelog of *partitions* to *store*, where they must be open.

    The last record of a key wins; one without a value deletes it. *cancelled* is asked between
    fetches, as a rebalance may overtake the recovery.

    Raises:
        PartitionRevoked: *cancelled* said yes, or a partition was dropped meanwhile.
        RecoveryFailed: The changelog could not be read to its end within *deadline_s*.
    """
    wanted = sorted(set(partitions))
    started = time.monotonic()
    progress = _Progress(store, {TopicPartition(store.changelog, number) for number in wanted})
    options = {"bootstrap_servers": list(bootstrap), "client_id": client_id, **(security or {})}
    try:
        async with asyncio.timeout(deadline_s), _reading(options, progress) as consumer:
            while progress.remaining:
                if cancelled():
                    raise PartitionRevoked(f"{store.changelog}: recovery was overtaken")
                await progress.advance(consumer)
    except TimeoutError as error:
        raise RecoveryFailed(f"{progress} not read to the end in {deadline_s} s") from error
    except KafkaError as error:
        raise RecoveryFailed(f"{progress} cannot be read: {error!r}") from error
    keys = sum(len(store[partition]) for partition in wanted)
    return RecoveryReport(progress.n_records, keys, time.monotonic() - started)


class _Progress:
    """How far each partition is, and what was applied."""

    def __init__(self, store: StateStore[Any], remaining: set[TopicPartition]) -> None:
        self.remaining = remaining
        self.n_records = 0
        self._store = store

    def __str__(self) -> str:
        return f"{self._store.changelog}{sorted(tp.partition for tp in self.remaining)}"

    async def advance(self, consumer: AIOKafkaConsumer) -> None:
        """Apply one poll, and let go of the partitions that it brought to their end."""
        fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
        for tp, records in fetched.items():
            self._apply(tp, records)
        for tp in tuple(self.remaining):
            high_watermark = consumer.highwater(tp)
            # The position also passes commit markers and compacted gaps, which bring no record.
            if high_watermark is not None and await consumer.position(tp) >= high_watermark:
                self.remaining.discard(tp)
                consumer.pause(tp)

    def _apply(self, tp: TopicPartition, records: Sequence[InRecord]) -> None:
        restore = self._store[tp.partition].restore
        for record in records:
            if record.key is None:
                where = f"{tp.topic}[{tp.partition}]@{record.offset}"
                raise RecoveryFailed(f"{where}: Expected a key, got none")
            restore(record.key, record.value)
        self.n_records += len(records)


@asynccontextmanager
async def _reading(
    options: Mapping[str, object], progress: _Progress
) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer in no group, at the beginning of the partitions."""
    read_tolerantly()
    consumer = AIOKafkaConsumer(
        **options,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=_FETCH_BYTES,
        fetch_max_wait_ms=_POLL_MS,
    )
    try:
        await consumer.start()
        if progress.remaining:
            await _check_exists(consumer, next(iter(progress.remaining)).topic)
            consumer.assign(list(progress.remaining))
        yield consumer
    finally:
        await ended(consumer.stop())


async def _check_exists(consumer: AIOKafkaConsumer, topic: str) -> None:
    if topic not in await consumer.topics():
        raise RecoveryFailed(f"{topic}: Expected the changelog on the broker, got no such topic")
