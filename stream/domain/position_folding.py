"""What an event makes of a product's positions."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from stream.domain import changes
from stream.domain.applied import Source
from stream.domain.events import (
    StockAdjusted,
    StockLevelEvent,
    StockLevelSet,
    StockMovement,
    StockOrdered,
    StockReceived,
)
from stream.domain.positions import UNDATED, Level, Order, Position, latest_ms

#: Changes of a product remembered since its last count; older ones are summed beyond it. Several
#: locations share them, but each has some.
MAX_CHANGES = 256
MIN_CHANGES = 16
#: Orders from suppliers remembered since the last count; the oldest is forgotten beyond it.
MAX_ORDERS = 16
#: Locations of a product; the one that was heard of least recently is forgotten beyond it.
MAX_LOCATIONS = 16

Positions = tuple[Position, ...]
#: From a position and how many changes it may remember to the position after an event.
Fold = Callable[[Position, int], Position]


def told(positions: Positions, event: StockLevelEvent, source: Source) -> Positions:
    """Return *positions* after an event of the stock levels topic."""
    if isinstance(event, StockLevelSet):
        return placed(positions, event.location, lambda before, _: _counted(before, event, source))
    at_ms = event.occurred_at_ms
    if isinstance(event, StockOrdered):
        due_ms = UNDATED if event.expected_at_ms is None else max(1, event.expected_at_ms)
        order = Order(at_ms, due_ms, event.quantity)
        return placed(positions, event.location, lambda before, _: _ordered(before, order))
    if isinstance(event, StockReceived):
        received = at_ms, event.quantity
        return placed(
            positions, event.location, lambda before, room: _received(before, *received, room)
        )
    return placed(positions, event.location, lambda before, room: _adjusted(before, event, room))


def moved(positions: Positions, movement: StockMovement) -> Positions:
    """Return *positions* after an order's line."""
    change = movement.occurred_at_ms, movement.units
    return placed(
        positions, movement.location, lambda before, room: _changed(before, *change, room)
    )


def drift_of(positions: Positions, event: StockLevelSet, source: Source) -> int | None:
    """Return units found by a count beyond what was expected, negative where some are missing.

    None where nothing was expected: the location was not counted before, or a later count is known.
    *positions* are those before the count. What was sold by orders that name no location, after the
    last count anywhere, is expected to have left from here: see ``products.py``.
    """
    level, known = _level_of(event, source), None
    for position in positions:
        if position.location == (event.location or ""):
            known = position
    if known is None or known.level is None or level < known.level:
        return None
    expected = known.level.on_hand + changes.until(known.changes, level.as_of_ms)
    for position in positions:
        if position.level is None:
            unplaced = changes.after(position.changes, _last_counted_ms(positions))
            expected += changes.until(unplaced, level.as_of_ms)
    return level.on_hand - expected


def placed(positions: Positions, location: str | None, fold: Fold) -> Positions:
    """Return *positions* with the one at *location* folded, made where there was none."""
    name = location or ""
    if len(positions) == 1 and positions[0].location == name:
        return (fold(positions[0], MAX_CHANGES),)
    by_name = {position.location: position for position in positions}
    before = by_name.get(name) or Position(name)
    by_name[name] = fold(before, max(MIN_CHANGES, MAX_CHANGES // (len(by_name) or 1)))
    if len(by_name) > MAX_LOCATIONS:
        others = [each for each in by_name.values() if each.location != name]
        del by_name[min(others, key=latest_ms).location]
    return tuple([by_name[each] for each in sorted(by_name)])


def _level_of(event: StockLevelSet, source: Source) -> Level:
    as_of_ms = event.occurred_at_ms if event.as_of_ms is None else event.as_of_ms
    return Level(
        as_of_ms,
        source.partition,
        source.offset,
        event.on_hand,
        event.reserved,
        event.inbound,
        tuple((max(1, each.expected_at_ms), each.quantity) for each in event.deliveries),
    )


def _last_counted_ms(positions: Positions) -> int:
    counted = [each.level.as_of_ms for each in positions if each.level is not None]
    return max(counted, default=-1)


def _counted(position: Position, event: StockLevelSet, source: Source) -> Position:
    level = _level_of(event, source)
    if position.level is not None and level < position.level:
        return position
    as_of_ms = level.as_of_ms
    return Position(
        position.location,
        level,
        changes=changes.after(position.changes, as_of_ms),
        received=changes.after(position.received, as_of_ms),
        set_aside=changes.after(position.set_aside, as_of_ms),
        ordered=tuple([order for order in position.ordered if order.at_ms > as_of_ms]),
    )


def _is_counted_in(position: Position, at_ms: int) -> bool:
    """Whether the last count knows of what happened at *at_ms*."""
    return position.level is not None and at_ms <= position.level.as_of_ms


def _changed(position: Position, at_ms: int, units: int, room: int) -> Position:
    if _is_counted_in(position, at_ms):
        return position
    return replace(position, changes=changes.add(position.changes, at_ms, units, room))


def _received(position: Position, at_ms: int, units: int, room: int) -> Position:
    if _is_counted_in(position, at_ms):
        return position
    received = changes.add(position.received, at_ms, units, MIN_CHANGES)
    return replace(_changed(position, at_ms, units, room), received=received)


def _ordered(position: Position, order: Order) -> Position:
    if _is_counted_in(position, order.at_ms):
        return position
    return replace(position, ordered=tuple(sorted((*position.ordered, order)))[-MAX_ORDERS:])


def _adjusted(position: Position, event: StockAdjusted, room: int) -> Position:
    at_ms = event.occurred_at_ms
    if _is_counted_in(position, at_ms):
        return position
    position = _changed(position, at_ms, event.difference, room)
    if not event.reserved_difference:
        return position
    set_aside = changes.add(position.set_aside, at_ms, event.reserved_difference, MIN_CHANGES)
    return replace(position, set_aside=set_aside)
