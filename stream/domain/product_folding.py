"""What an event makes of a product.

Two topics tell of it, stock levels and movements (order lines), and may interleave either way:
every rule here is a maximum, a sum or a set, so the order of the two leaves no trace.
"""

from __future__ import annotations

from msgspec.structs import replace

from stream.domain import applied as memory
from stream.domain import demand as days
from stream.domain.applied import Source
from stream.domain.calendar import UTC_DAYS, Calendar
from stream.domain.copurchase import Counts, count_in
from stream.domain.events import PositionEvent, PricePlanned, StockLevelEvent, StockMovement
from stream.domain.position_folding import moved, told
from stream.domain.price_plans import planned_by, with_plan
from stream.domain.prices import Paid, with_price
from stream.domain.products import OriginMark, Product

#: Epochs of the orders topic remembered for each of its partitions.
MAX_EPOCHS = 2
#: The beginning of 2000. An event from before it has no clock: it says nothing of how old a product is.
_FIRST_PLAUSIBLE_MS = 946_684_800_000
#: Products that a product remembers being bought with.
MAX_BOUGHT_WITH = 20


def apply_level(
    product: Product, event: StockLevelEvent, source: Source, calendar: Calendar = UTC_DAYS
) -> Product:
    """Return the product after *event*, or *product* itself when its record was folded before.

    A count replaces the position as of its time; what happened after that time is kept, also if it
    was heard of earlier. A count older than the one known changes nothing on the shelf.
    """
    applied, is_new = memory.take(product.applied, source, memory.fingerprint(event.event_id))
    if applied is product.applied:
        return product
    product = replace(product, applied=applied)
    if not is_new:
        return product
    if isinstance(event, PricePlanned):
        return _planned(product, event, source, calendar=calendar)
    product = _seen(_described(product, event), event.occurred_at_ms, calendar)
    return replace(product, positions=told(product.positions, event, source))


def apply_movement(
    product: Product, movement: StockMovement, calendar: Calendar = UTC_DAYS
) -> Product:
    """Return the product after *movement*, or *product* itself when it was folded before.

    Movements of one origin partition arrive in order of (offset, line), repeats excepted.
    """
    mark = OriginMark(*_origin(movement))
    if is_repeat(product, movement):
        return product
    at_ms = movement.occurred_at_ms
    product = replace(
        product,
        origins=_marked(product.origins, mark),
        demand=_demand(product, movement, calendar),
        paid=_paid(product, movement, calendar),
        bought_with=_bought_with(product, movement),
        positions=moved(product.positions, movement),
    )
    product = _named(product, movement.name, at_ms, rank=0)
    product = _priced(product, movement.price, at_ms, rank=0)
    return _seen(product, at_ms, calendar)


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


def _demand(
    product: Product, movement: StockMovement, calendar: Calendar
) -> tuple[days.DayUnits, ...]:
    """A sale is wanted when it happens, a cancelled one never was; what comes back had been."""
    if movement.cause == "return":
        return product.demand
    at_ms, wanted_at_ms = movement.occurred_at_ms, movement.wanted_at_ms
    day = calendar.day_of(at_ms if wanted_at_ms is None else min(at_ms, wanted_at_ms))
    return days.add_units(product.demand, day, -movement.units)


def _paid(product: Product, movement: StockMovement, calendar: Calendar) -> Paid:
    """A price is paid when something is bought; what is cancelled or comes back says no other."""
    if movement.price is None or movement.units >= 0:
        return product.paid
    return with_price(product.paid, calendar.day_of(movement.occurred_at_ms), movement.price)


def _planned(
    product: Product, event: PricePlanned, source: Source, *, calendar: Calendar
) -> Product:
    """A plan does not say that the product can be bought: days before it can be are unknown."""
    plans = with_plan(product.plans, planned_by(event, source, calendar), calendar)
    updated_at_ms = max(product.updated_at_ms, event.occurred_at_ms)
    return replace(product, plans=plans, updated_at_ms=updated_at_ms)


def _seen(product: Product, at_ms: int, calendar: Calendar) -> Product:
    known = product.known_since_day
    if at_ms >= _FIRST_PLAUSIBLE_MS:
        day = calendar.day_of(at_ms)
        known = day if known is None else min(known, day)
    updated_at_ms = max(product.updated_at_ms, at_ms)
    return replace(product, updated_at_ms=updated_at_ms, known_since_day=known)


def _told_at(at_ms: int, rank: int) -> int:
    """Order two tellings: the later one counts, at the same time the one of higher rank."""
    return 2 * at_ms + rank


def _described(product: Product, event: PositionEvent) -> Product:
    at_ms = event.occurred_at_ms
    product = _named(product, event.name, at_ms, rank=1)
    product = _priced(product, event.price, at_ms, rank=1)
    told = _told_at(at_ms, 1)
    if event.lead_time_days is not None and told >= product.lead_time_told:
        product = replace(product, lead_time_days=event.lead_time_days, lead_time_told=told)
    if event.pack_size is not None and told >= product.pack_size_told:
        product = replace(product, pack_size=event.pack_size, pack_size_told=told)
    if event.minimum_order is not None and told >= product.minimum_order_told:
        product = replace(product, minimum_order=event.minimum_order, minimum_order_told=told)
    return product


def _named(product: Product, name: str | None, at_ms: int, *, rank: int) -> Product:
    told = _told_at(at_ms, rank)
    if name is None or told < product.name_told:
        return product
    return replace(product, name=name, name_told=told)


def _priced(product: Product, price: float | None, at_ms: int, *, rank: int) -> Product:
    told = _told_at(at_ms, rank)
    if price is None or told < product.price_told:
        return product
    return replace(product, price=price, price_told=told)


def _bought_with(product: Product, movement: StockMovement) -> Counts:
    if movement.units >= 0:
        return product.bought_with
    others = (other for other in movement.bought_with if other != product.product_id)
    return count_in(product.bought_with, others, MAX_BOUGHT_WITH)
