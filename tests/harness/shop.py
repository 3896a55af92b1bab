"""A store told event by event, at a time that a test moves on; and what its planners are told."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import msgspec

from stream.domain.calendar import DAY_MS, weekday_of
from stream.domain.events import (
    Item,
    OrderCancelled,
    OrderCompleted,
    OrderRefunded,
    PricePlanned,
    StockEvent,
    StockLevelSet,
    StockOrdered,
    StockReceived,
    VisitorEvent,
)
from stream.domain.outputs import AlertKind, AlertStatus, Situation, StockAlert
from stream.domain.products import Product
from stream.topics import STOCK_ALERTS
from tests.harness.events import as_history, record_of
from tests.harness.store import Store
from tests.harness.waiting import until
from tests.unit.builders import TODAY, make_view

MINUTE_MS = 60 * 1000
HOUR_MS = 60 * MINUTE_MS
#: The product that somebody looks at when nothing but time is to pass.
BYSTANDER = "p0"

_decode = msgspec.json.Decoder(StockAlert).decode


class Shop:
    """What happens in a store, one event after the other, each a millisecond later.

    Args:
        now_ms: Event time of what happens next.
        noon_ms: Of the day in UTC, when what is past was sold.
    """

    def __init__(
        self,
        store: Store,
        *,
        now_ms: int = TODAY * DAY_MS + 8 * HOUR_MS,
        noon_ms: int = 12 * HOUR_MS,
    ) -> None:
        self.store, self.now_ms = store, now_ms
        self._noon_ms = noon_ms
        self._ordinals = itertools.count(1)

    # -- time

    @property
    def today(self) -> int:
        """The day in UTC, since the Unix epoch."""
        return self.now_ms // DAY_MS

    def passes(self, *, days: int = 0, minutes: int = 0) -> None:
        """Let time pass: somebody looks at a product, and the worker's clock goes by events."""
        self.now_ms += days * DAY_MS + minutes * MINUTE_MS
        n, at_ms = self._next()
        self._tell(
            make_view(
                event_id=f"passing-{n}",
                visitor_id="passer-by",
                product_id=BYSTANDER,
                occurred_at_ms=at_ms,
            )
        )

    # -- what happens

    def has_sold(
        self,
        units_a_day: dict[str, int],
        *,
        n_days: int = 60,
        closed_weekdays: Sequence[int] = (),
        price: float | None = None,
    ) -> None:
        """Tell the past of products, until yesterday; return once the workers know it."""
        days = range(self.today - n_days, self.today)
        self.store.publish(
            *(
                as_history(record_of(self._past_order(product_id, units, day, price=price)))
                for product_id, units in units_a_day.items()
                for day in days
                if weekday_of(day) not in closed_weekdays
            )
        )
        self.store.settle()

    def counts(self, product_id: str, on_hand: int, **told: Any) -> None:
        """A count of the shelf, with what else is *told*; a lead time of a week, 2.50 each."""
        n, at_ms = self._next()
        fields: dict[str, Any] = {"price": 2.5, "lead_time_days": 7.0, **told}
        self._tell(
            StockLevelSet(
                event_id=f"count-{n}",
                occurred_at_ms=at_ms,
                product_id=product_id,
                on_hand=on_hand,
                **fields,
            )
        )

    def sells(
        self, product_id: str, quantity: int, *, location: str | None = None
    ) -> OrderCompleted:
        """Return an order, told."""
        n, at_ms = self._next()
        order = OrderCompleted(
            event_id=f"sale-{n}",
            occurred_at_ms=at_ms,
            visitor_id=f"buyer-{n}",
            order_id=f"sale-{n}",
            products=(Item(product_id, quantity=quantity, location=location),),
        )
        self._tell(order)
        return order

    def cancels(self, order: OrderCompleted) -> None:
        """All of *order* is cancelled."""
        n, at_ms = self._next()
        self._tell(
            OrderCancelled(
                event_id=f"cancellation-{n}",
                occurred_at_ms=at_ms,
                visitor_id=order.visitor_id,
                order_id=order.order_id,
                products=order.products,
                ordered_at_ms=order.occurred_at_ms,
            )
        )

    def refunds(self, order: OrderCompleted, *, restocked: bool) -> None:
        """All of *order* is paid back."""
        n, at_ms = self._next()
        self._tell(
            OrderRefunded(
                event_id=f"refund-{n}",
                occurred_at_ms=at_ms,
                visitor_id=order.visitor_id,
                order_id=order.order_id,
                products=order.products,
                restocked=restocked,
            )
        )

    def receives(self, product_id: str, quantity: int) -> None:
        """Units arrive."""
        n, at_ms = self._next()
        self._tell(
            StockReceived(
                event_id=f"receipt-{n}",
                occurred_at_ms=at_ms,
                product_id=product_id,
                quantity=quantity,
            )
        )

    def orders_in(self, product_id: str, quantity: int, *, expected_at_ms: int | None) -> None:
        """Units are ordered from a supplier."""
        n, at_ms = self._next()
        self._tell(
            StockOrdered(
                event_id=f"supply-{n}",
                occurred_at_ms=at_ms,
                product_id=product_id,
                quantity=quantity,
                expected_at_ms=expected_at_ms,
            )
        )

    def plans_price(self, product_id: str, price: float | None, *, n_days: int) -> None:
        """A price is planned for so many days from tomorrow on, or none any more."""
        n, at_ms = self._next()
        tomorrow_ms = (self.today + 1) * DAY_MS
        self._tell(
            PricePlanned(
                event_id=f"plan-{n}",
                occurred_at_ms=at_ms,
                product_id=product_id,
                begins_at_ms=tomorrow_ms,
                ends_at_ms=tomorrow_ms + n_days * DAY_MS,
                price=price,
            )
        )

    # -- what comes of it

    def told(self, product_id: str, situation: Situation = "shortage") -> list[StockAlert]:
        """Return all that was read of a product's situation, in order."""
        return [
            alert
            for alert in self.store.alerts()
            if (alert.product_id, alert.situation) == (product_id, situation)
        ]

    def present(self, product_id: str) -> list[StockAlert]:
        """Return what a compacted topic keeps of a product: the last record of each key."""
        last = last_values(self.store)
        alerts = [_decode(value) for value in last.values() if value is not None]
        return [alert for alert in alerts if alert.product_id == product_id]

    def hears(self, product_id: str, kind: AlertKind, status: AlertStatus) -> StockAlert:
        """Return what is told of a product once it is *kind* and *status*."""

        def heard() -> list[StockAlert]:
            self.store.read()
            alerts = self.present(product_id)
            return [each for each in alerts if (each.kind, each.status) == (kind, status)]

        [alert] = until(
            heard,
            f"{product_id} is {kind}, {status}",
            otherwise=lambda: [(each.kind, each.status) for each in self.present(product_id)],
        )
        return alert

    def hears_no_more(self, product_id: str, situation: Situation = "shortage") -> list[StockAlert]:
        """Return all that is told of a product's situation once everything told is worked off.

        A record is committed once what is to be said of it is published.
        """
        self.store.settle()
        return self.told(product_id, situation)

    def knows(self, product_id: str) -> Product:
        """Return what the workers remember of a product once everything told is worked off."""
        self.store.settle()
        [known] = [each for (_, key), each in self.store.products().items() if key == product_id]
        return known

    # -- telling

    def _next(self) -> tuple[int, int]:
        self.now_ms += 1
        return next(self._ordinals), self.now_ms

    def _tell(self, *events: VisitorEvent | StockEvent) -> None:
        self.store.publish(*map(record_of, events))

    def _past_order(
        self, product_id: str, units: int, day: int, *, price: float | None
    ) -> OrderCompleted:
        return OrderCompleted(
            event_id=f"past-{product_id}-{day}",
            occurred_at_ms=day * DAY_MS + self._noon_ms,
            visitor_id="household",
            order_id=f"past-{product_id}-{day}",
            products=(Item(product_id, quantity=units, price=price),),
        )


def last_values(store: Store) -> dict[bytes, bytes | None]:
    """Return the last value of each key of the alerts topic: what compaction keeps."""
    return {record.key or b"": record.value for _, record in store.records(STOCK_ALERTS)}
