"""What waits to be sent to one partition, in the order in which it was handed over."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from itertools import islice

from aiokafka.producer.message_accumulator import BatchBuilder

from stream.errors import PublishFailed
from stream.kafka.records import Headers, OutRecord

#: A record batch's own header, and a record's lengths and attributes at their longest.
_BATCH_OVERHEAD_BYTES = 61
_RECORD_OVERHEAD_BYTES = 40
_HEADER_OVERHEAD_BYTES = 10
_NO_HEADERS: list[tuple[str, bytes]] = []


class Delivery:
    """One call of ``publish``: done when each of its partitions has confirmed or one failed."""

    def __init__(self, n_partitions: int) -> None:
        self._n_left = n_partitions
        self.outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Its failure is no news to asyncio when whoever waited is gone.
        self.outcome.add_done_callback(lambda done: done.cancelled() or done.exception())

    def confirm(self) -> None:
        """One partition has all its records."""
        self._n_left -= 1
        if self._n_left == 0 and not self.outcome.done():
            self.outcome.set_result(None)

    def fail(self, error: Exception) -> None:
        """One partition will not have all its records."""
        if not self.outcome.done():
            self.outcome.set_exception(error)


class Outbox:
    """The records for one partition that nobody sent yet.

    Attributes:
        failure: Why it takes nothing more, None while it does.
        sender: The task that empties it, None while it is empty.
    """

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.failure: PublishFailed | None = None
        self.sender: asyncio.Task[None] | None = None
        self._waiting: deque[Sequence[OutRecord]] = deque()
        self._deliveries: deque[Delivery] = deque()
        self._under_way: list[Delivery] = []
        self._n_taken = 0

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]"

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(self, records: Sequence[OutRecord], delivery: Delivery) -> None:
        """Take *records* behind all that wait."""
        self._waiting.append(records)
        self._deliveries.append(delivery)

    def fill(self, batch: BatchBuilder) -> None:
        """Move records into *batch* until it is full or none is left."""
        while self._waiting:
            records = self._waiting[0]
            self._n_taken += _append(batch, records, self._n_taken)
            if self._n_taken < len(records):
                return
            self._n_taken = 0
            self._waiting.popleft()
            self._under_way.append(self._deliveries.popleft())

    def confirm(self) -> None:
        """The broker has all that was filled."""
        confirmed, self._under_way = self._under_way, []
        for delivery in confirmed:
            delivery.confirm()

    def owes(self, delivery: Delivery) -> bool:
        """Whether records of *delivery* are not confirmed."""
        return delivery in self._under_way or delivery in self._deliveries

    def withdraw(self, delivery: Delivery) -> None:
        """Forget what of *delivery* nobody sent yet: nobody waits for it any more."""
        if delivery not in self._deliveries:
            return
        place = self._deliveries.index(delivery)
        del self._deliveries[place], self._waiting[place]
        if place == 0:
            self._n_taken = 0

    def fail(self, error: PublishFailed) -> None:
        """Take nothing more; all that was handed over and is not confirmed has failed."""
        self.failure = self.failure or error
        failed = [*self._under_way, *self._deliveries]
        self._under_way, self._n_taken = [], 0
        self._deliveries.clear()
        self._waiting.clear()
        for delivery in failed:
            delivery.fail(error)


def largest(records: Sequence[OutRecord]) -> int:
    """Return the size in bytes, at most, of a record batch of the largest of *records*."""
    sizes = [
        len(record.value or b"")
        + len(record.key or b"")
        + (_size_of(record.headers) if record.headers else 0)
        for record in records
    ]
    return max(sizes) + _BATCH_OVERHEAD_BYTES + _RECORD_OVERHEAD_BYTES


def _size_of(headers: Headers) -> int:
    return sum(
        len(name.encode()) + len(value or b"") + _HEADER_OVERHEAD_BYTES for name, value in headers
    )


def _append(batch: BatchBuilder, records: Sequence[OutRecord], first: int) -> int:
    """Add *records* from the *first* on, stamped now; return how many until the batch was full."""
    # Three calls a record lead to this one from the builder's own ``append``.
    append, offset = batch._builder.append, batch.record_count()  # noqa: SLF001
    at_ms = time.time_ns() // 1_000_000
    n_added = 0
    for record in islice(records, first, None):
        headers = list(record.headers) if record.headers else _NO_HEADERS
        if append(offset + n_added, at_ms, record.key, record.value, headers) is None:
            batch.close()
            break
        n_added += 1
    batch._relative_offset += n_added  # noqa: SLF001
    return n_added
