"""Simulated shelves under real demand: opening stock, purchase orders, deliveries, counts.

The data has no stock, so each event made here says ``simulated``. What empties a shelf is real:
the units that households bought that day. Replenishment knows the past only. A few products are
kept tight on purpose (little opening stock, reordered too late), so that real demand runs them
out. When households bought more than our simulated shelf held, the count at closing time says 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil, sqrt
from random import Random

from stream.demo.catalogue import Catalogue, CatalogueProduct
from stream.demo.household_orders import DAY_MS
from stream.domain.events import (
    Delivery,
    OrderCompleted,
    StockEvent,
    StockLevelSet,
    StockOrdered,
    StockReceived,
)

TIGHT_SHARE = 0.02
REVIEW_DAYS = 1
COVER_DAYS = 14
FIRST_DELIVERY_MS = 5 * 3600 * 1000
DELIVERIES_MS = 4 * 3600 * 1000


@dataclass(slots=True)
class Shelf:
    """One product's simulated stock; ``due_day`` is when what is ``inbound`` arrives."""

    product: CatalogueProduct
    lead_time_days: int
    is_tight: bool
    on_hand: int
    inbound: int = 0
    due_day: int = 0

    @property
    def reorder_point(self) -> int:
        """Expected demand until the next chance, and three deviations (Poisson) on top."""
        if self.is_tight:
            return 0
        expected = self.product.units_a_day * (self.lead_time_days + REVIEW_DAYS)
        return ceil(expected + 3 * sqrt(expected))

    @property
    def lot(self) -> int:
        return max(6, ceil(self.product.units_a_day * COVER_DAYS))


class Shelves:
    """The shelves of a catalogue, moved on day by day."""

    def __init__(self, catalogue: Catalogue, *, seed: int) -> None:
        random = Random(f"shelves-{seed}")  # noqa: S311 - a simulation
        self._shelves = {
            str(product.product_id): _opened(product, random)
            for product in catalogue.products.values()
        }

    def levels(self, at_ms: int) -> Iterator[StockLevelSet]:
        """A count of everything, as of *at_ms*: how the store opens."""
        for shelf in self._shelves.values():
            yield _count(shelf, at_ms)

    def deliveries(self, day: int, random: Random) -> Iterator[StockReceived]:
        """What arrives in the early morning of *day* (days since the Unix epoch)."""
        for product_id, shelf in self._shelves.items():
            if not shelf.inbound or shelf.due_day > day:
                continue
            at_ms = day * DAY_MS + FIRST_DELIVERY_MS + random.randrange(DELIVERIES_MS)
            yield StockReceived(
                event_id=f"received-{product_id}-{day}",
                occurred_at_ms=at_ms,
                product_id=product_id,
                quantity=shelf.inbound,
                simulated=True,
            )
            shelf.on_hand += shelf.inbound
            shelf.inbound = 0

    def close(self, day: int, orders: Iterable[OrderCompleted]) -> Iterator[StockEvent]:
        """Take the day's *orders* off, count what is short, and order what runs low."""
        closing_ms = (day + 1) * DAY_MS - 1
        for shelf in self._sold(orders):
            short = shelf.on_hand < 0
            shelf.on_hand = max(0, shelf.on_hand)
            reordered = not shelf.inbound and shelf.on_hand <= shelf.reorder_point
            if reordered:
                shelf.inbound = shelf.lot
                shelf.due_day = day + shelf.lead_time_days
                yield _order(shelf, closing_ms)
            if short:
                yield _count(shelf, closing_ms)

    def _sold(self, orders: Iterable[OrderCompleted]) -> list[Shelf]:
        touched: dict[str, Shelf] = {}
        for order in orders:
            for item in order.products:
                shelf = self._shelves.get(item.product_id)
                if shelf is not None:
                    shelf.on_hand -= item.quantity
                    touched[item.product_id] = shelf
        return list(touched.values())


def _opened(product: CatalogueProduct, random: Random) -> Shelf:
    lead_time_days = random.randint(1, 2) if product.is_fresh else random.randint(2, 6)
    shelf = Shelf(product, lead_time_days, random.random() < TIGHT_SHARE, 0)
    if shelf.is_tight:
        scarce = product.units_a_day * lead_time_days * random.uniform(0.3, 1.2)
        shelf.on_hand = max(1, round(scarce))
    else:
        shelf.on_hand = shelf.reorder_point + random.randint(shelf.lot // 3, shelf.lot)
    return shelf


def _order(shelf: Shelf, at_ms: int) -> StockOrdered:
    product_id = str(shelf.product.product_id)
    return StockOrdered(
        event_id=f"ordered-{product_id}-{at_ms}",
        occurred_at_ms=at_ms,
        product_id=product_id,
        quantity=shelf.inbound,
        expected_at_ms=shelf.due_day * DAY_MS + FIRST_DELIVERY_MS,
        simulated=True,
    )


def _count(shelf: Shelf, at_ms: int) -> StockLevelSet:
    product = shelf.product
    due_ms = shelf.due_day * DAY_MS + FIRST_DELIVERY_MS
    deliveries = (Delivery(shelf.inbound, due_ms),) if shelf.inbound else ()
    return StockLevelSet(
        event_id=f"counted-{product.product_id}-{at_ms}",
        occurred_at_ms=at_ms,
        product_id=str(product.product_id),
        name=product.name,
        price=product.price,
        lead_time_days=shelf.lead_time_days,
        on_hand=shelf.on_hand,
        deliveries=deliveries,
        simulated=True,
    )
