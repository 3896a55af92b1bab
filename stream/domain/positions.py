"""A product's position at one location: what is there, set aside, and on the way.

A count says what all of it was at a time; what happened after that time is kept beside it, so that
a count may be heard of late.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from stream.domain.changes import Changes, total

#: Stands for a delivery that nobody has dated.
UNDATED = 0
#: When a delivery is expected, in ms since the Unix epoch or ``UNDATED``, and its units.
Due = tuple[int, int]


class Level(Struct, frozen=True, array_like=True, order=True, gc=False):
    """A count of the shelf. The fields before ``on_hand`` say which of two counts is the later."""

    as_of_ms: int
    partition: int
    offset: int
    on_hand: int
    reserved: int = 0
    inbound: int = 0
    deliveries: tuple[Due, ...] = ()


class Order(Struct, frozen=True, array_like=True, order=True, gc=False):
    """What was ordered from a supplier at a time, by when it is expected."""

    at_ms: int
    due_ms: int
    units: int


class Position(Struct, frozen=True, array_like=True):
    """What is known of a product at one location.

    Attributes:
        location: Empty where events name none.
        level: The latest count, None until there is one: then nothing is known of the shelf.
        changes: Units sold, received or corrected after that count, in time order.
        received: Of these, what was received: it is no longer on the way.
        set_aside: Units set aside after that count, or released.
        ordered: Ordered from suppliers after that count, in time order.
    """

    location: str = ""
    level: Level | None = None
    changes: Changes = ()
    received: Changes = ()
    set_aside: Changes = ()
    ordered: tuple[Order, ...] = ()


def on_hand(position: Position) -> int:
    """Return units on the shelf: the last count and every change since. Negative is oversold."""
    counted = position.level.on_hand if position.level is not None else 0
    return counted + total(position.changes)


def reserved(position: Position) -> int:
    """Return units set aside, at the last count and since."""
    counted = position.level.reserved if position.level is not None else 0
    return max(0, counted + total(position.set_aside))


def due(position: Position) -> tuple[list[Due], int]:
    """Return what is on the way, the earliest first and undated last, and the units received beyond.

    What was received since the count is taken off what was expected first.
    """
    return without_received(_expected(position), total(position.received))


def without_received(expected: Iterable[Due], n_received: int) -> tuple[list[Due], int]:
    """Return *expected*, in the order it is due, less *n_received* units; and how many are left over."""
    left = list[Due]()
    for due_ms, units in sorted(expected, key=_dated_first):
        arrived = min(units, n_received)
        n_received -= arrived
        if units > arrived:
            left.append((due_ms, units - arrived))
    return left, n_received


def latest_ms(position: Position) -> int:
    """Return when something was last heard to have happened there."""
    counted_ms = position.level.as_of_ms if position.level is not None else 0
    ends = [changes[-1][0] for changes in (position.changes, position.set_aside) if changes]
    ends += [order.at_ms for order in position.ordered[-1:]]
    return max([counted_ms, *ends])


def _expected(position: Position) -> list[Due]:
    level, ordered = position.level, [(order.due_ms, order.units) for order in position.ordered]
    if level is None:
        return ordered
    undated = level.inbound - sum(units for _, units in level.deliveries)
    return [*level.deliveries, *([(UNDATED, undated)] if undated > 0 else []), *ordered]


def _dated_first(delivery: Due) -> tuple[bool, int]:
    return delivery[0] == UNDATED, delivery[0]
