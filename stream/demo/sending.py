"""Sends the store's days at a pace, and keeps count of what the broker confirmed."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from stream.demo.pacing import Pace
from stream.demo.replay import Outgoing
from stream.kafka.records import OutRecord
from stream.topics import STOCK_MOVEMENTS

TICK_S = 0.02
_CHUNK = 2_000


class Publisher(Protocol):
    """Confirms records; ``BulkProducer`` is one."""

    async def publish(self, records: Sequence[OutRecord]) -> None: ...


@dataclass(slots=True)
class Sender:
    """The only writer of the input topics.

    Attributes:
        sent: Confirmed records by topic and partition.
        expected: Records that the worker must complete, by topic; the lines of an order come
            back as movements.
        sent_at_ms: When each record was handed over, by its offset: the only writer of a new
            topic knows the offsets.
        occurred_at_ms: Event time of the newest one sent.
    """

    publisher: Publisher
    sent: Counter[tuple[str, int]] = field(default_factory=Counter)
    expected: Counter[str] = field(default_factory=Counter)
    sent_at_ms: defaultdict[tuple[str, int], array[float]] = field(
        default_factory=lambda: defaultdict(lambda: array("d"))
    )
    occurred_at_ms: int = 0

    async def send(self, outgoing: Sequence[Outgoing]) -> None:
        """Return when the broker has them all."""
        now_ms = time.time() * 1000
        for each in outgoing:
            self.sent_at_ms[each.record.topic, each.record.partition].append(now_ms)
        await self.publisher.publish([each.record for each in outgoing])
        for each in outgoing:
            self.sent[each.record.topic, each.record.partition] += 1
            self.expected[each.record.topic] += 1
            self.expected[STOCK_MOVEMENTS.name] += each.n_moved
        if outgoing:
            self.occurred_at_ms = outgoing[-1].occurred_at_ms

    async def send_all(self, days: Iterable[Sequence[Outgoing]]) -> None:
        """Send without a pace, day by day."""
        for day in days:
            for first in range(0, len(day), _CHUNK):
                await self.send(day[first : first + _CHUNK])

    def lag(self, committed: Counter[str]) -> int:
        """Records sent, or caused, that the worker has not committed."""
        return sum((self.expected - committed).values())


@dataclass(slots=True)
class Replayed:
    """What one replay sent: events by kind, real and simulated apart."""

    real: Counter[str] = field(default_factory=Counter)
    simulated: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def n_events(self) -> int:
        return self.real.total() + self.simulated.total()

    def add(self, outgoing: Iterable[Outgoing]) -> None:
        for each in outgoing:
            (self.simulated if each.simulated else self.real)[each.kind] += 1


async def replay(
    days: Iterator[list[Outgoing]],
    sender: Sender,
    pace: Pace,
    *,
    seconds: float | None,
    lag: Callable[[], int],
    stop: asyncio.Event,
    replayed: Replayed,
) -> None:
    """Send *days* at *pace* for *seconds*, or until *stop*; *replayed* tells how far it is."""
    waiting: list[Outgoing] = []
    upcoming = asyncio.create_task(asyncio.to_thread(next, days))
    started = time.monotonic()
    try:
        while not stop.is_set():
            replayed.seconds = time.monotonic() - started
            if seconds is not None and replayed.seconds >= seconds:
                return
            if not waiting:
                waiting = list(reversed(await upcoming))
                upcoming = asyncio.create_task(asyncio.to_thread(next, days))
            due = pace.due(replayed.seconds, n_sent=replayed.n_events, lag=lag())
            batch = [waiting.pop() for _ in range(min(due, len(waiting)))]
            await sender.send(batch)
            replayed.add(batch)
            if len(batch) == due:
                await _tick(stop, full_speed=pace.events_per_s is None and due > 0)
    finally:
        await asyncio.wait([upcoming])


async def _tick(stop: asyncio.Event, *, full_speed: bool) -> None:
    if full_speed:
        await asyncio.sleep(0)
        return
    try:
        await asyncio.wait_for(stop.wait(), TICK_S)
    except TimeoutError:
        return
