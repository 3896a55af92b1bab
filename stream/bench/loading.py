"""Load at a rate: events published when they are due, whether earlier ones are confirmed or not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from random import Random

from stream.bench.measuring import records_of
from stream.bench.seeding import N_VISITORS
from stream.domain.events import ProductViewed
from stream.kafka.producer import BulkProducer
from stream.settings import Settings

#: What is due is published together, as a producer does with Apache Kafka 4's linger of 5 ms.
_TICK_S = 0.005


@dataclass(slots=True)
class Visits:
    """Views by visitors drawn at random, of products drawn at random; no event comes twice.

    Attributes:
        number: Visitors and events of another number are others.
        n_drawn: How many were drawn so far.
    """

    products: Sequence[str]
    number: int
    n_visitors: int = N_VISITORS
    n_drawn: int = 0
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(self.number)  # noqa: S311 - to be repeatable

    def draw(self) -> ProductViewed:
        """Return the next view."""
        self.n_drawn += 1
        draw = self.random.random
        return ProductViewed(
            event_id=f"{self.number}-{self.n_drawn}",
            occurred_at_ms=int(time.time() * 1000),
            visitor_id=f"visitor-{self.number}-{int(draw() * self.n_visitors)}",
            product_id=self.products[int(draw() * len(self.products))],
        )


@dataclass(frozen=True, slots=True)
class Sent:
    """What one load was.

    Attributes:
        began_ms: ms since the Unix epoch, as record timestamps are.
        handed_ms: When the last event was handed over.
        ended_ms: When all were confirmed, and so appended.
    """

    n_events: int
    began_ms: int
    handed_ms: int
    ended_ms: int

    @property
    def events_per_s(self) -> float:
        return self.n_events / max(self.handed_ms - self.began_ms, 1) * 1000


async def load(
    settings: Settings, topic: str, visits: Visits, *, events_per_s: float, seconds: float
) -> Sent:
    """Publish to *topic* for *seconds*; events come as if by chance, *events_per_s* on average.

    An open loop: what is slow to answer does not slow it. Returns when all are confirmed.
    """
    producer = BulkProducer(settings.bootstrap, client_id="storestream-bench-load")
    await producer.start()
    try:
        async with asyncio.TaskGroup() as publishing:
            began_ms = _now_ms()
            n_events = 0
            async for n_due in arrivals(events_per_s, seconds, visits.random):
                drawn = [visits.draw() for _ in range(n_due)]
                records = list(records_of(topic, drawn, settings.partitions))
                publishing.create_task(producer.publish(records))
                n_events += n_due
            handed_ms = _now_ms()
        ended_ms = _now_ms()
    finally:
        await producer.stop()
    return Sent(n_events, began_ms, handed_ms, ended_ms)


async def arrivals(per_s: float, seconds: float, random: Random) -> AsyncIterator[int]:
    """Give how many have come since the last time, as they come: a Poisson process."""
    started, next_s = time.monotonic(), random.expovariate(per_s)
    while next_s <= seconds:
        elapsed_s, n_due = time.monotonic() - started, 0
        while next_s <= min(elapsed_s, seconds):
            n_due += 1
            next_s += random.expovariate(per_s)
        if n_due:
            yield n_due
        await asyncio.sleep(max(next_s - elapsed_s, _TICK_S))


def _now_ms() -> int:
    return int(time.time() * 1000)
