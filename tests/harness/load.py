"""Records sent at a pace, and how long their answers took."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer

from stream.kafka.records import OutRecord, Place
from stream.topics import READ
from tests.harness.store import Sent, Store, first_answers
from tests.harness.waiting import until

_TICK_S = 0.02
_MAX_BYTES = 4 * 1024 * 1024


def send_over(store: Store, records: Sequence[OutRecord], seconds: float) -> list[Sent]:
    """Publish *records* evenly over *seconds*; return once the broker has them all.

    In whole batches, so that what is measured is not a producer that is out of breath.
    """
    return _send_all(store.bootstrap, records, seconds, Progress())


@contextmanager
def under_load(store: Store, records: Sequence[OutRecord], seconds: float) -> Iterator[Load]:
    """Publish *records* as ``send_over`` does, meanwhile; on leaving, wait until all are sent.

    It ends before that where the test says that it was enough, or fails.
    """
    progress = Progress()
    with ThreadPoolExecutor(1) as thread:
        sending = thread.submit(_send_all, store.bootstrap, records, seconds, progress)
        load = Load(progress, sending)
        try:
            yield load
            load.sent()
        finally:
            load.enough()


@dataclass
class Progress:
    """How far a load is, and whether it may end before all is sent."""

    n_sent: int = 0
    is_enough: bool = False


class Load:
    """Records that are being sent."""

    def __init__(self, progress: Progress, outcome: Future[list[Sent]]) -> None:
        self._progress, self._outcome = progress, outcome

    def goes_on(self, n_more: int) -> None:
        """Wait until so many more are sent; there must be as many."""
        n_enough = self._progress.n_sent + n_more
        until(
            lambda: self._progress.n_sent >= n_enough,
            f"{n_more} more are sent",
            otherwise=lambda: self._outcome,
        )

    def enough(self) -> None:
        """Send no more."""
        self._progress.is_enough = True

    def sent(self) -> list[Sent]:
        """Wait until the broker has all of them, and return them."""
        return self._outcome.result()


def _send_all(
    bootstrap: str, records: Sequence[OutRecord], seconds: float, progress: Progress
) -> list[Sent]:
    return asyncio.run(_send_over(bootstrap, records, seconds, progress))


async def _send_over(
    bootstrap: str, records: Sequence[OutRecord], seconds: float, progress: Progress
) -> list[Sent]:
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        max_batch_size=_MAX_BYTES,
        max_request_size=_MAX_BYTES,
        # What one copy alone has is gone with its broker, and would be no loss of the worker's.
        acks="all",
    )
    await producer.start()
    started = time.monotonic()
    promises: list[tuple[list[OutRecord], Awaitable[Any]]] = []
    while progress.n_sent < len(records) and not progress.is_enough:
        share = min(1.0, (time.monotonic() - started) / seconds) if seconds else 1.0
        due = records[progress.n_sent : max(1, int(share * len(records)))]
        progress.n_sent += len(due)
        promises += await _send(producer, due)
        await asyncio.sleep(_TICK_S)  # the pace itself
    sent = [each for own, promise in promises for each in _placed(own, await promise)]
    await producer.stop()
    return sent


async def _send(
    producer: AIOKafkaProducer, records: Sequence[OutRecord]
) -> list[tuple[list[OutRecord], Awaitable[Any]]]:
    by_partition: dict[tuple[str, int], list[OutRecord]] = defaultdict(list)
    for record in records:
        by_partition[record.topic, record.partition].append(record)
    promises = []
    for (topic, partition), own in by_partition.items():
        batch = producer.create_batch()
        for record in own:
            headers = list(record.headers)
            batch.append(timestamp=None, key=record.key, value=record.value, headers=headers)
        promises.append((own, await producer.send_batch(batch, topic, partition=partition)))
    return promises


def _placed(records: Sequence[OutRecord], first: Any) -> list[Sent]:
    return [
        Sent(Place(first.topic, first.partition, first.offset + i), record)
        for i, record in enumerate(records)
    ]


def latencies_ms(store: Store, sent: Sequence[Sent]) -> list[int]:
    """Return how long each of *sent* waited, from its append to that of its first answer."""
    appended = {
        Place(topic.name, partition, record.offset): record.timestamp
        for topic in READ
        for partition, record in store.records(topic)
    }
    found = first_answers(store.answers(), sent)
    return [found[each.place].at_ms - appended[each.place] for each in sent]


def p99(values: Sequence[int]) -> float:
    """Return the nearest-rank 99th percentile."""
    return float(sorted(values)[int(0.99 * (len(values) - 1))])
