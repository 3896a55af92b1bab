"""Alerts: products forecast together, assessed one by one, remembered as in doubt, and published.

In doubt is what a worker dies between: it may have been told or not, and by the next look the
shelf may be what it was before, as if nothing had to be said. So what is in doubt is told again
first, under the same id and revision, and then what became of it. Doubt is durable before anything
is published, and ends with the broker's confirmation.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from msgspec.structs import replace

from stream.codec import encode
from stream.domain.assessment import StockPolicy, assess
from stream.domain.outputs import StockAlert
from stream.domain.products import AlertState, Product
from stream.domain.stock import retold, transition
from stream.kafka.records import OutRecord
from stream.pipeline.batcher import Batcher, Row
from stream.pipeline.event_clock import EventClock
from stream.pipeline.forecasts import Forecasted, Forecaster
from stream.pipeline.intake import partition_for
from stream.pipeline.tickets import Ticket
from stream.ports import Clock, Publisher, States
from stream.telemetry import Telemetry
from stream.topics import STOCK_ALERTS


@dataclass(frozen=True, slots=True)
class Concern:
    """A product to look at, and the state that knew it when this was asked.

    Not the number of its partition: that may be given back and owned anew meanwhile, and a
    product read while its partition recovers is another one.
    """

    product_id: str
    states: States[Product]

    @property
    def key(self) -> bytes:
        """Under which the state knows the product, and the alerts topic as well."""
        return self.product_id.encode()


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the forecaster said of a micro-batch, and for which day."""

    today: int
    forecasts: Sequence[Forecasted]


@dataclass(frozen=True, slots=True)
class Change:
    """A message to publish, and the state of the alert that it leads to."""

    states: States[Product]
    key: bytes
    after: AlertState
    alert: StockAlert


def latest(_: Concern, newer: Concern) -> Concern:
    """Return *newer*: looking at a product once, late, tells all that looking twice would."""
    return newer


def row_of(product_id: str, states: States[Product], *tickets: Ticket) -> Row[Concern]:
    """Return the question what to say of a product.

    Two partitions know a product that a producer spread over them: two shelves, two questions.
    """
    concern = Concern(product_id, states)
    return Row((states.partition, concern.key), concern, tickets)


AlertBatcher: TypeAlias = Batcher[Concern, Outlook]


class Alerts:
    """The work of a micro-batch of products.

    Args:
        n_partitions: Of the alerts topic.
        wall: Stamps messages; decisions go by *clock*.
    """

    def __init__(
        self,
        forecaster: Forecaster,
        publisher: Publisher,
        *,
        clock: EventClock,
        telemetry: Telemetry,
        policy: StockPolicy,
        n_partitions: int,
        wall: Clock,
    ) -> None:
        self._forecaster = forecaster
        self._publisher = publisher
        self._clock = clock
        self._telemetry = telemetry
        self._policy = policy
        self._n_partitions = n_partitions
        self._wall = wall

    async def score(self, rows: Sequence[Row[Concern]]) -> Outlook:
        """Ask for the demand that each product must meet."""
        today = self._clock.today
        products = [self._product(row) for row in rows]
        return Outlook(today, await self._forecaster.forecast(products, today))

    async def answer(self, rows: Sequence[Row[Concern]], scores: Outlook) -> Awaitable[None]:
        """Tell what is in doubt of *rows*, and then their transitions.

        Assesses the products as they are now: events may have come since they were scored. One that
        expired while its alert was published stays forgotten.
        """
        asked, changes = list(zip(rows, scores.forecasts, strict=True)), list[Change]()
        while asked:
            told = [
                (each, change)
                for each in asked
                if (change := self._change(*each, scores.today)) is not None
            ]
            now = [change for _, change in told]
            await self._tell(now)
            changes += now
            # Of what was told again it is not said yet what became of it.
            asked = [each for each, change in told if not change.after.is_told]
        return _flushed(changes)

    def _change(self, row: Row[Concern], forecast: Forecasted, today: int) -> Change | None:
        """Return what is to be said of a product now: what is in doubt first, and by itself."""
        product, now_ms, made_ms = self._product(row), self._clock.now_ms, self._wall()
        assessment = assess(product, forecast.cumulative, today, self._policy)
        after, source = product.alert, forecast.source
        if after is not None and not after.is_told:
            alert = retold(after, assessment, now_ms, forecast=source, created_at_ms=made_ms)
            return Change(row.payload.states, row.payload.key, after, alert)
        after, news = transition(
            after, assessment, now_ms, self._policy, forecast=source, created_at_ms=made_ms
        )
        if after is None or news is None:
            return None
        return Change(row.payload.states, row.payload.key, after, news)

    async def _tell(self, changes: Sequence[Change]) -> None:
        if changes:
            _remember(changes, is_told=False)
            await _flushed(changes)
            await self._publish(changes)
            _remember(changes, is_told=True)

    async def _publish(self, changes: Sequence[Change]) -> None:
        effects: defaultdict[States[Product], list[OutRecord]] = defaultdict(list)
        for change in changes:
            partition = partition_for(change.key, self._n_partitions)
            record = OutRecord(STOCK_ALERTS.name, partition, change.key, encode(change.alert))
            effects[change.states].append(record)
        await self._publisher.publish(effects)
        published = Counter((change.alert.kind, change.alert.status) for change in changes)
        for labels, n_alerts in published.items():
            self._telemetry.alerts.labels(*labels).inc(n_alerts)

    def _product(self, row: Row[Concern]) -> Product:
        concern = row.payload
        return concern.states.get(concern.key) or Product(concern.product_id)


def _remember(changes: Sequence[Change], *, is_told: bool) -> None:
    for change in changes:
        product = change.states.get(change.key)
        if product is not None:
            alert = replace(change.after, is_told=is_told)
            change.states.put(change.key, replace(product, alert=alert))


async def _flushed(changes: Sequence[Change]) -> None:
    touched = {change.states.partition: change.states for change in changes}
    await asyncio.gather(*(states.flush() for states in touched.values()))
