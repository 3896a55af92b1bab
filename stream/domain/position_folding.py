"""What an event makes of a product's positions."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from stream.domain import changes
from stream.domain.applied import Source
from stream.domain.events import (
    PositionFact,
    StockAdjusted,
    StockLevelSet,
    StockMovement,
    StockOrdered,
    StockReceived,
)
from stream.domain.positions import (
    UNDATED,
    Count,
    Incoming,
    Order,
    Position,
    in_force,
    is_counted,
    latest_ms,
    level_of,
)

#: Changes of a product remembered since its last count; older ones are summed beyond it. Several
#: locations share them, but each has some.
MAX_CHANGES = 256
MIN_CHANGES = 16
#: Orders from suppliers remembered since the last count; the two oldest become one beyond it.
MAX_ORDERS = 16
#: Named locations of a product. Beyond it the one that was heard of least recently is forgotten, of
#: those that were never counted first: what was moved there is then moved at the unnamed one.
MAX_LOCATIONS = 64

Positions = tuple[Position, ...]
#: From a position and how many changes it may remember to the position after an event.
Fold = Callable[[Position, int], Position]


def told(positions: Positions, event: PositionFact, source: Source) -> Positions:
    """Return *positions* after an event of the stock levels topic that is about one of them."""
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

    None where nothing was expected: the location was not counted before, or a later count is known;
    and where it is not known what was: orders that name no location took units from one of several.
    *positions* are those before the count.
    """
    name, level = event.location or "", _level_of(event, source)
    holding, last_ms = in_force(positions, level_of)
    known = next((each for each in positions if each.location == name), None)
    if name not in holding or known is None or known.level is None or level < known.level:
        return None
    unplaced = sum(
        changes.until(changes.after(each.changes, last_ms), level.as_of_ms)
        for each in positions
        if each.location not in holding
    )
    if unplaced and len(holding) > 1:
        return None
    expected = known.level.units + changes.until(known.changes, level.as_of_ms) + unplaced
    return level.units - expected


def placed(positions: Positions, location: str | None, fold: Fold) -> Positions:
    """Return *positions* with the one at *location* folded, made where there was none."""
    name = location or ""
    if len(positions) == 1 and positions[0].location == name:
        return (fold(positions[0], MAX_CHANGES),)
    by_name = {position.location: position for position in positions}
    room = max(MIN_CHANGES, MAX_CHANGES // (len(by_name) or 1))
    by_name[name] = fold(by_name.get(name) or Position(name), room)
    if len(by_name) - ("" in by_name) > MAX_LOCATIONS:
        _forget_one(by_name, but=name)
    return tuple([by_name[each] for each in sorted(by_name)])


def _forget_one(by_name: dict[str, Position], *, but: str) -> None:
    others = [each for each in by_name.values() if each.location and each.location != but]
    oldest = min(others, key=lambda each: (is_counted(each), latest_ms(each)))
    del by_name[oldest.location]
    if is_counted(oldest):
        return
    unnamed = by_name.get("") or Position()
    for at_ms, units in oldest.changes:
        unnamed = _changed(unnamed, at_ms, units, MIN_CHANGES)
    for at_ms, units in oldest.set_aside:
        unnamed = _set_aside(unnamed, at_ms, units, MIN_CHANGES)
    for at_ms, units in oldest.received:
        unnamed = _arrived(unnamed, at_ms, units, MIN_CHANGES)
    for order in oldest.ordered:
        unnamed = _ordered(unnamed, order)
    by_name[""] = unnamed


def _as_of_ms(event: StockLevelSet) -> int:
    return event.occurred_at_ms if event.as_of_ms is None else event.as_of_ms


def _level_of(event: StockLevelSet, source: Source) -> Count:
    return Count(_as_of_ms(event), source.partition, source.offset, event.on_hand)


def _counted(position: Position, event: StockLevelSet, source: Source) -> Position:
    level = _level_of(event, source)
    if position.level is None or level >= position.level:
        after = changes.after(position.changes, level.as_of_ms)
        position = replace(position, level=level, changes=after)
    if event.reserved is not None:
        held = Count(level.as_of_ms, level.partition, level.offset, event.reserved)
        if position.held is None or held >= position.held:
            after = changes.after(position.set_aside, held.as_of_ms)
            position = replace(position, held=held, set_aside=after)
    if event.inbound is not None or event.deliveries:
        return _announced(position, event, level)
    return position


def _announced(position: Position, event: StockLevelSet, level: Count) -> Position:
    as_of_ms = level.as_of_ms
    dated = tuple((max(1, each.expected_at_ms), each.quantity) for each in event.deliveries)
    units = max(event.inbound or 0, sum(each for _, each in dated))
    incoming = Incoming(as_of_ms, level.partition, level.offset, units, dated)
    if position.incoming is not None and incoming < position.incoming:
        return position
    return replace(
        position,
        incoming=incoming,
        ordered=tuple([order for order in position.ordered if order.at_ms > as_of_ms]),
        received=changes.after(position.received, as_of_ms),
    )


def _knows(count: Count | Incoming | None, at_ms: int) -> bool:
    """Whether *count* knows of what happened at *at_ms*."""
    return count is not None and at_ms <= count.as_of_ms


def _changed(position: Position, at_ms: int, units: int, room: int) -> Position:
    if _knows(position.level, at_ms):
        return position
    return replace(position, changes=changes.add(position.changes, at_ms, units, room))


def _received(position: Position, at_ms: int, units: int, room: int) -> Position:
    return _arrived(_changed(position, at_ms, units, room), at_ms, units, room)


def _arrived(position: Position, at_ms: int, units: int, room: int) -> Position:
    if _knows(position.incoming, at_ms):
        return position
    return replace(position, received=changes.add(position.received, at_ms, units, room))


def _ordered(position: Position, order: Order) -> Position:
    if _knows(position.incoming, order.at_ms):
        return position
    ordered = sorted((*position.ordered, order))
    if len(ordered) > MAX_ORDERS:
        first, second, *rest = ordered
        both = Order(second.at_ms, max(first.due_ms, second.due_ms), first.units + second.units)
        ordered = [both, *rest]
    return replace(position, ordered=tuple(ordered))


def _adjusted(position: Position, event: StockAdjusted, room: int) -> Position:
    at_ms = event.occurred_at_ms
    if event.difference:
        position = _changed(position, at_ms, event.difference, room)
    if event.reserved_difference:
        position = _set_aside(position, at_ms, event.reserved_difference, room)
    return position


def _set_aside(position: Position, at_ms: int, units: int, room: int) -> Position:
    if _knows(position.held, at_ms):
        return position
    return replace(position, set_aside=changes.add(position.set_aside, at_ms, units, room))
