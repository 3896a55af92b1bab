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
from stream.domain.assessment import assess
from stream.domain.outputs import StockAlert, alert_key
from stream.domain.policy import StockPolicy
from stream.domain.products import AlertState, Product, product_state, with_alert
from stream.domain.stock import message, steps
from stream.kafka.records import OutRecord
from stream.pipeline.batcher import Batcher, Row
from stream.pipeline.event_clock import EventClock
from stream.pipeline.forecasts import Forecasted, Forecaster
from stream.pipeline.held_back import HeldBack
from stream.pipeline.intake import partition_for
from stream.pipeline.tickets import Ticket
from stream.ports import Clock, Publisher, States
from stream.telemetry import Telemetry
from stream.topics import PRODUCT_STATE, STOCK_ALERTS


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
    """A message to publish, and the state of the alert that it leads to.

    Attributes:
        is_former: Whether it was told before there were situations, under the key of its product:
            that message is to go.
    """

    states: States[Product]
    key: bytes
    after: AlertState
    alert: StockAlert
    is_former: bool = False


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
        held_back: Hears of the products that are to be looked at again.
        n_partitions: Of the alerts topic and of the product-state topic.
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
        held_back: HeldBack,
        n_partitions: int,
        wall: Clock,
    ) -> None:
        self._forecaster = forecaster
        self._publisher = publisher
        self._clock = clock
        self._telemetry = telemetry
        self._policy = policy
        self._held_back = held_back
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
            told = [(each, self._changes(*each, scores.today)) for each in asked]
            now = [change for _, of_product in told for change in of_product]
            await self._tell(now)
            changes += now
            # Of what was told again it is not said yet what became of it.
            asked = [each for each, of_product in told if any(map(_is_again, of_product))]
        return _flushed(changes)

    def _changes(self, row: Row[Concern], forecast: Forecasted, today: int) -> list[Change]:
        """Return what is to be said of a product now: what is in doubt first, and by itself."""
        product, now_ms, made_ms = self._product(row), self._clock.now_ms, self._wall()
        assessment = assess(
            product, forecast.cumulative, today, self._policy, calendar=self._clock.calendar
        )
        in_doubt = [state for state in product.alerts if not state.is_told or _is_former(state)]
        if in_doubt:
            news = in_doubt
        else:
            taken = steps(product, assessment, today=today, now_ms=now_ms, policy=self._policy)
            again = [each.again_ms for each in taken if each.again_ms is not None]
            if again:
                self._held_back.add(row.payload.states, row.payload.key, min(again))
            news = [each.state for each in taken if each.state and each.is_news]
        return [
            Change(
                row.payload.states,
                row.payload.key,
                replace(state, told_at_ms=state.told_at_ms or now_ms),
                message(
                    product,
                    state,
                    assessment,
                    now_ms=now_ms,
                    forecast=forecast.source,
                    created_at_ms=made_ms,
                ),
                is_former=_is_former(state),
            )
            for state in news
        ]

    async def _tell(self, changes: Sequence[Change]) -> None:
        if changes:
            _remember(changes, is_told=False)
            await _flushed(changes)
            await self._publish(changes)
            _remember(changes, is_told=True)

    async def _publish(self, changes: Sequence[Change]) -> None:
        effects: defaultdict[States[Product], list[OutRecord]] = defaultdict(list)
        for change in changes:
            alert, partition = change.alert, partition_for(change.key, self._n_partitions)
            key = alert_key(alert.product_id, alert.situation)
            effects[change.states].append(
                OutRecord(STOCK_ALERTS.name, partition, key, encode(alert))
            )
            if change.is_former:
                effects[change.states].append(
                    OutRecord(STOCK_ALERTS.name, partition, change.key, None)
                )
            product = change.states.get(change.key)
            if product is not None and alert.situation == "excess":
                # Recommendations go by it as well.
                state = product_state(product, self._clock.now_ms, self._clock.calendar)
                effects[change.states].append(
                    OutRecord(PRODUCT_STATE.name, partition, change.key, encode(state))
                )
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
            state = replace(change.after, is_told=is_told)
            change.states.put(change.key, with_alert(product, state))


def _is_former(state: AlertState) -> bool:
    """Whether an open alert was last told by a program that did not know of situations."""
    return state.is_open and not state.told_at_ms


def _is_again(change: Change) -> bool:
    return not change.after.is_told


async def _flushed(changes: Sequence[Change]) -> None:
    touched = {change.states.partition: change.states for change in changes}
    await asyncio.gather(*(states.flush() for states in touched.values()))
