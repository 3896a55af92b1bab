"""What an event makes of a product.

Two topics tell of it, stock levels and movements (order lines), and may interleave either way:
every rule here is a maximum, a sum or a set, so the order of the two leaves no trace.
"""

from __future__ import annotations

from msgspec.structs import replace

from stream.domain import applied as memory
from stream.domain import changes
from stream.domain import demand as days
from stream.domain.applied import Source
from stream.domain.copurchase import Counts, count_in
from stream.domain.demand import day_of
from stream.domain.events import (
    StockAdjusted,
    StockEvent,
    StockLevelEvent,
    StockLevelSet,
    StockMovement,
    StockReceived,
)
from stream.domain.products import Level, OriginMark, Product

#: Changes remembered since the last count; older ones are merged beyond it.
MAX_CHANGES = 256
#: Epochs of the orders topic remembered for each of its partitions.
MAX_EPOCHS = 2
#: Products that a product remembers being bought with.
MAX_BOUGHT_WITH = 20


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
