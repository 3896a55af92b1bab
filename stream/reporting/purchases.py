"""What was bought of what was recommended.

A product that was bought is credited to the recommendation with it that was shown to its visitor
last, if that was within the window before: to one variant at most, also where versions were promoted
in between. The purchases of a cancelled order are none; refunded ones were, and bring no revenue.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from stream.domain.events import (
    Item,
    OrderCancelled,
    OrderCompleted,
    OrderRefunded,
    OrdersEvent,
)
from stream.reporting.claims import Display
from stream.reporting.period import Sample

_Order = tuple[str, str]


class Credit(NamedTuple):
    """A product that a visitor bought of a recommendation.

    Attributes:
        currency: Empty where the order names none.
        amount: At the order's prices, what was refunded taken off; None where it has none.
    """

    visitor_id: str
    variant: str
    currency: str
    amount: float | None


class _Line(NamedTuple):
    units: int
    amount: float | None


class _Bought(NamedTuple):
    """An order, as far as it has products that were shown in the window before."""

    at_ms: int
    currency: str
    lines: Mapping[str, _Line]


@dataclass(slots=True)
class _Returned:
    """Units of an order by product that were cancelled, and refunded; each event counts once."""

    event_ids: set[str] = field(default_factory=set)
    cancelled: Counter[str] = field(default_factory=Counter)
    refunded: Counter[str] = field(default_factory=Counter)


class Purchases:
    """The fold over orders, in any order.

    Attributes:
        displays: Of each visitor that is looked at, as they were shown.
    """

    def __init__(
        self, displays: Mapping[str, Iterable[Display]], window_ms: int, sample: Sample
    ) -> None:
        """Credit purchases to *displays*, those of each visitor, which *sample* took."""
        self.displays = {
            visitor_id: sorted(shown, key=lambda display: (display.shown_at_ms, display.variant))
            for visitor_id, shown in displays.items()
        }
        self._n_displays = sum(map(len, self.displays.values()))
        self._window_ms = window_ms
        self._sample = sample
        self._bought: dict[_Order, _Bought] = {}
        self._returned: dict[_Order, _Returned] = {}

    def take(self, event: OrdersEvent) -> None:
        """Note what *event* buys or gives back; the same order again changes nothing."""
        if event.visitor_id not in self.displays:
            return
        if isinstance(event, OrderCompleted):
            self._buy(event)
        elif isinstance(event, OrderCancelled | OrderRefunded):
            self._give_back(event)
        while self._n_held() > self._sample.max_held:
            self._leave_out_half()

    def credits(self, displays: Mapping[str, Sequence[Display]]) -> Iterator[Credit]:
        """Yield what was bought and not cancelled, as if *displays*, some of ours, were all."""
        nothing = _Returned()
        for order, bought in self._bought.items():
            returned = self._returned.get(order, nothing)
            shown = displays.get(order[0], ())
            for product_id, (units, whole) in bought.lines.items():
                kept = units - returned.cancelled[product_id]
                display = self._credited(shown, product_id, bought.at_ms)
                if kept > 0 and display is not None:
                    paid = max(0, kept - returned.refunded[product_id])
                    amount = None if whole is None else whole * paid / units
                    yield Credit(order[0], display.variant, bought.currency, amount)

    def _buy(self, event: OrderCompleted) -> None:
        order = event.visitor_id, event.order_id
        if order in self._bought:
            return
        lines: dict[str, list[Item]] = {}
        for item in event.products:
            lines.setdefault(item.product_id, []).append(item)
        shown, at_ms = self.displays[event.visitor_id], event.occurred_at_ms
        bought = {
            product_id: _Line(sum(item.quantity for item in items), _amount(items))
            for product_id, items in lines.items()
            if self._credited(shown, product_id, at_ms) is not None
        }
        if bought:
            self._bought[order] = _Bought(at_ms, event.currency or "", bought)

    def _credited(self, shown: Sequence[Display], product_id: str, at_ms: int) -> Display | None:
        n_before = bisect_right(shown, at_ms, key=lambda display: display.shown_at_ms)
        for i in range(n_before - 1, -1, -1):
            if shown[i].shown_at_ms < at_ms - self._window_ms:
                return None
            if product_id in shown[i].products:
                return shown[i]
        return None

    def _give_back(self, event: OrderCancelled | OrderRefunded) -> None:
        shown = self.displays[event.visitor_id]
        items = [
            item
            for item in event.products
            if any(item.product_id in display.products for display in shown)
        ]
        if not items:
            return
        order = event.visitor_id, event.order_id
        returned = self._returned.setdefault(order, _Returned())
        if event.event_id in returned.event_ids:
            return
        returned.event_ids.add(event.event_id)
        units = returned.cancelled if isinstance(event, OrderCancelled) else returned.refunded
        for item in items:
            units[item.product_id] += item.quantity

    def _n_held(self) -> int:
        return self._n_displays + len(self._bought) + len(self._returned)

    def _leave_out_half(self) -> None:
        self._sample.halve()
        takes = self._sample.takes
        self.displays = {who: shown for who, shown in self.displays.items() if takes(who)}
        self._n_displays = sum(map(len, self.displays.values()))
        self._bought = {order: kept for order, kept in self._bought.items() if takes(order[0])}
        self._returned = {order: back for order, back in self._returned.items() if takes(order[0])}


def _amount(items: Iterable[Item]) -> float | None:
    """Return what *items* cost together, None where a price is missing."""
    amount = 0.0
    for item in items:
        if item.price is None:
            return None
        amount += item.quantity * item.price
    return amount
