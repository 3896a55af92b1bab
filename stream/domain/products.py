"""A product's position: what is on the shelf, what it sells, what it is bought with.

Two topics tell of it, stock levels and movements (order lines), and may interleave either way:
every rule here is a maximum, a sum or a set, so the order of the two leaves no trace.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from stream.domain import applied as memory
from stream.domain import changes
from stream.domain import demand as days
from stream.domain.applied import Applied, Source
from stream.domain.changes import Changes
from stream.domain.copurchase import Counts, count_in
from stream.domain.demand import DayUnits, day_of
from stream.domain.events import (
    StockAdjusted,
    StockEvent,
    StockLevelEvent,
    StockLevelSet,
    StockMovement,
    StockReceived,
)
from stream.domain.outputs import AlertKind, ProductState, Severity

#: Changes remembered since the last count; older ones are merged beyond it.
MAX_CHANGES = 256
#: Epochs of the orders topic remembered for each of its partitions.
MAX_EPOCHS = 2
#: Products that a product remembers being bought with.
MAX_BOUGHT_WITH = 20
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
    """

    episode: int
    revision: int
    is_open: bool
    kind: AlertKind
    severity: Severity
    opened_at_ms: int
    stock_out_day: int | None = None
    known_since_day: int = 0


class Product(Struct, frozen=True, array_like=True):
    """What is remembered of one product.

    Attributes:
        name: The latest told, as are price and lead time; ``…_told`` is when (see ``_told``).
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


# --- Folding -----------------------------------------------------------------------------------


def apply_level(product: Product, event: StockLevelEvent, source: Source) -> Product:
    """Return the product after *event*, or *product* itself when its record was folded before.

    A count replaces the shelf as of its time; what happened after that time is kept, also if it
    was heard of earlier. A count older than the one known changes nothing on the shelf.
    """
    applied, is_new = memory.take(product.applied, source, memory.fingerprint(event.event_id))
    if applied is product.applied:
        return product
    product = replace(product, applied=applied)
    if not is_new:
        return product
    product = _seen(_described(product, event), event.occurred_at_ms)
    if isinstance(event, StockLevelSet):
        return _counted(product, event, source)
    if isinstance(event, StockReceived):
        product = _arrived(product, event)
    return _changed(product, event.occurred_at_ms, _difference(event))


def apply_movement(product: Product, movement: StockMovement) -> Product:
    """Return the product after *movement*, or *product* itself when it was folded before.

    Movements of one origin partition arrive in order of (offset, line), repeats excepted.
    """
    mark = OriginMark(*_origin(movement))
    if is_repeat(product, movement):
        return product
    at_ms, units = movement.occurred_at_ms, movement.units
    product = replace(
        product,
        origins=_marked(product.origins, mark),
        demand=days.add_units(product.demand, day_of(at_ms), -units),
        bought_with=_bought_with(product, movement),
    )
    product = _named(product, movement.name, at_ms, rank=0)
    product = _priced(product, movement.price, at_ms, rank=0)
    return _changed(_seen(product, at_ms), at_ms, units)


def is_repeat(product: Product, movement: StockMovement) -> bool:
    """Whether *movement*, or a later line of its origin partition and epoch, was folded."""
    partition, epoch, offset, line = _origin(movement)
    for mark in product.origins:
        if mark.partition == partition and mark.epoch == epoch:
            return (offset, line) <= (mark.offset, mark.line)
    return False


# --- Reading -----------------------------------------------------------------------------------


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


# --- Rules -------------------------------------------------------------------------------------


def _origin(movement: StockMovement) -> tuple[int, int, int, int]:
    origin = movement.origin
    return origin.partition, origin.epoch, origin.offset, origin.line


def _marked(origins: tuple[OriginMark, ...], mark: OriginMark) -> tuple[OriginMark, ...]:
    """Put *mark* in; an epoch's number says nothing of its age, so its place does."""
    of_partition = {other.epoch: other for other in origins if other.partition == mark.partition}
    of_partition[mark.epoch] = mark
    others = [other for other in origins if other.partition != mark.partition]
    kept = [*of_partition.values()][-MAX_EPOCHS:]
    return tuple(sorted((*others, *kept), key=_partition))


def _partition(mark: OriginMark) -> int:
    return mark.partition


def _difference(event: StockReceived | StockAdjusted) -> int:
    return event.quantity if isinstance(event, StockReceived) else event.difference


def _seen(product: Product, at_ms: int) -> Product:
    day, known = day_of(at_ms), product.known_since_day
    return replace(
        product,
        updated_at_ms=max(product.updated_at_ms, at_ms),
        known_since_day=day if known is None else min(known, day),
    )


def _told(at_ms: int, rank: int) -> int:
    """Order two tellings: the later one counts, at the same time the one of higher rank."""
    return 2 * at_ms + rank


def _described(product: Product, event: StockEvent) -> Product:
    at_ms = event.occurred_at_ms
    product = _named(product, event.name, at_ms, rank=1)
    product = _priced(product, event.price, at_ms, rank=1)
    told = _told(at_ms, 1)
    if event.lead_time_days is None or told < product.lead_time_told:
        return product
    return replace(product, lead_time_days=event.lead_time_days, lead_time_told=told)


def _named(product: Product, name: str | None, at_ms: int, *, rank: int) -> Product:
    told = _told(at_ms, rank)
    if name is None or told < product.name_told:
        return product
    return replace(product, name=name, name_told=told)


def _priced(product: Product, price: float | None, at_ms: int, *, rank: int) -> Product:
    told = _told(at_ms, rank)
    if price is None or told < product.price_told:
        return product
    return replace(product, price=price, price_told=told)


def _counted(product: Product, event: StockLevelSet, source: Source) -> Product:
    as_of_ms = event.occurred_at_ms if event.as_of_ms is None else event.as_of_ms
    level = Level(
        as_of_ms, source.partition, source.offset, event.on_hand, event.reserved, event.inbound
    )
    if product.level is not None and level < product.level:
        return product
    return replace(
        product,
        level=level,
        changes=changes.after(product.changes, as_of_ms),
        received=changes.after(product.received, as_of_ms),
    )


def _is_counted_in(product: Product, at_ms: int) -> bool:
    """Whether the last count knows of what happened at *at_ms*."""
    return product.level is not None and at_ms <= product.level.as_of_ms


def _arrived(product: Product, event: StockReceived) -> Product:
    at_ms = event.occurred_at_ms
    if _is_counted_in(product, at_ms):
        return product
    received = changes.add(product.received, at_ms, event.quantity, MAX_CHANGES)
    return replace(product, received=received)


def _changed(product: Product, at_ms: int, units: int) -> Product:
    if _is_counted_in(product, at_ms):
        return product
    return replace(product, changes=changes.add(product.changes, at_ms, units, MAX_CHANGES))


def _bought_with(product: Product, movement: StockMovement) -> Counts:
    if movement.units >= 0:
        return product.bought_with
    others = (other for other in movement.bought_with if other != product.product_id)
    return count_in(product.bought_with, others, MAX_BOUGHT_WITH)
