"""A product's position: what is on the shelf, what it sells, what it is bought with."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream.domain import demand as days
from stream.domain.applied import Applied
from stream.domain.changes import Changes
from stream.domain.copurchase import Counts
from stream.domain.demand import DayUnits, day_of
from stream.domain.outputs import AlertKind, ProductState, Severity

#: Of products bought with this one, how many every worker is told.
SHARED_BOUGHT_WITH = 10


class Level(Struct, frozen=True, array_like=True, order=True, gc=False):
    """A count of the shelf. The fields before ``on_hand`` say which of two counts is the later."""

    as_of_ms: int
    partition: int
    offset: int
    on_hand: int
    reserved: int = 0
    inbound: int = 0


class OriginMark(Struct, frozen=True, array_like=True, order=True, gc=False):
    """The last order line folded in from one partition and epoch of the orders topic."""

    partition: int
    epoch: int
    offset: int
    line: int


class AlertState(Struct, frozen=True, array_like=True, gc=False):
    """What was last said about this product's shortage.

    Attributes:
        episode: Ordinal of the shortage, from 1; it stays when the shortage is resolved, so that
            the next one gets another id.
        known_since_day: That of the product when the shortage began. A product that was forgotten
            counts its shortages from 1 again, and only this tells the two counts apart.
        revision: Ordinal of the last message about it, from 1.
        stock_out_day: P90 stock-out day of that message, days since the Unix epoch.
        is_told: Whether the broker has confirmed that message; what is in doubt is told again.
    """

    episode: int
    revision: int
    is_open: bool
    kind: AlertKind
    severity: Severity
    opened_at_ms: int
    stock_out_day: int | None = None
    known_since_day: int = 0
    is_told: bool = True


class Product(Struct, frozen=True, array_like=True):
    """What is remembered of one product.

    Attributes:
        name: The latest told, as are price and lead time; ``…_told`` says which of two tellings is
            the later (``product_folding``).
        level: The latest count, None until there is one: then nothing is known of the shelf.
        changes: Units sold, received or corrected after that count, summed per millisecond, in
            time order.
        received: Of these, what was received: it is no longer on the way.
        demand: Units sold a day less those returned, in day order; days without either are absent.
        known_since_day: First day anything happened to it.
        bought_with: Products of the same orders and how often, most often first.
        origins: Last movement folded in per partition of the orders topic, for each of the last
            epochs, latest last: their movements share a topic that is re-created less often.
        applied: How far the stock levels topic was folded.
        updated_at_ms: Time of the latest event folded in.
    """

    product_id: str
    name: str | None = None
    name_told: int = -1
    price: float | None = None
    price_told: int = -1
    lead_time_days: float | None = None
    lead_time_told: int = -1
    level: Level | None = None
    changes: Changes = ()
    demand: tuple[DayUnits, ...] = ()
    known_since_day: int | None = None
    bought_with: Counts = ()
    origins: tuple[OriginMark, ...] = ()
    applied: tuple[Applied, ...] = ()
    updated_at_ms: int = 0
    alert: AlertState | None = None
    received: Changes = ()


def on_hand(product: Product) -> int:
    """Return units on the shelf: the last count and every change since. Negative is oversold.

    Without a count it is the sum of the changes, which means little: see ``is_counted``.
    """
    counted = product.level.on_hand if product.level is not None else 0
    return counted + sum(units for _, units in product.changes)


def is_counted(product: Product) -> bool:
    """Whether the shelf was ever counted; an uncounted product is never sold out."""
    return product.level is not None


def available(product: Product) -> int:
    """Return units that can be sold: on hand without those set aside at the last count."""
    return on_hand(product) - (product.level.reserved if product.level is not None else 0)


def inbound(product: Product) -> int:
    """Return units on the way: those of the last count without what was received since."""
    expected = product.level.inbound if product.level is not None else 0
    return max(0, expected - sum(units for _, units in product.received))


def is_sold_out(product: Product) -> bool:
    """Whether the shelf was counted and nothing of it can be sold."""
    return is_counted(product) and available(product) <= 0


def demand_window(product: Product, today: int) -> NDArray[np.float32]:
    """Return ``float32[HISTORY_DAYS]``: units a day, *today* last, -1 before it was known."""
    return days.window(product.demand, product.known_since_day, today)


def units_sold(product: Product, since_day: int, today: int) -> int:
    """Return units sold from *since_day* to *today*, both included."""
    return days.total(product.demand, since_day, today)


def product_state(product: Product, now_ms: int) -> ProductState:
    """Return what every worker is told; equal values need not be told twice."""
    today = day_of(now_ms)
    return ProductState(
        product_id=product.product_id,
        name=product.name,
        price=product.price,
        on_hand=on_hand(product) if is_counted(product) else None,
        sold_out=is_sold_out(product),
        units_7d=units_sold(product, today - 6, today),
        bought_with=tuple(other for other, _ in product.bought_with[:SHARED_BOUGHT_WITH]),
    )
