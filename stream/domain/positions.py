"""A product's position at one location: what is there, set aside, and on the way.

Each of the three was told as of a time, by a count, and what happened after that time is kept beside it,
so that a count may be heard of late. A count that says nothing of one of them leaves it as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct

from stream.domain.changes import Changes, total

#: Stands for a delivery that nobody has dated.
UNDATED = 0
#: When a delivery is expected, in ms since the Unix epoch or ``UNDATED``, and its units.
Due = tuple[int, int]


class Count(Struct, frozen=True, array_like=True, order=True, gc=False):
    """Units as of a time. The fields before them say which of two counts is the later."""

    as_of_ms: int
    partition: int
    offset: int
    units: int


class Incoming(Struct, frozen=True, array_like=True, order=True, gc=False):
    """Units on the way as of a time, and those of them that have a date."""

    as_of_ms: int
    partition: int
    offset: int
    units: int
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
        level: The latest count of what is there; None until there is one: nothing is known of it.
        changes: Units sold, received or corrected after that count, in time order.
        held: The latest count of what is set aside.
        set_aside: Units set aside after that count, or released.
        incoming: What was last said to be on the way.
        ordered: Ordered from suppliers after that, in time order.
        received: Units received after that.
    """

    location: str = ""
    level: Count | None = None
    changes: Changes = ()
    held: Count | None = None
    set_aside: Changes = ()
    incoming: Incoming | None = None
    ordered: tuple[Order, ...] = ()
    received: Changes = ()


class Expected(NamedTuple):
    """What is on the way to a location, and since when: what arrived before is not it."""

    location: str
    at_ms: int
    due_ms: int
    units: int


class Receipt(NamedTuple):
    """What arrived at a location, and when."""

    at_ms: int
    location: str
    units: int


Register = Callable[[Position], Count | Incoming | None]


def level_of(position: Position) -> Count | None:
    """Return the latest count of what is there."""
    return position.level


def held_of(position: Position) -> Count | None:
    """Return the latest count of what is set aside."""
    return position.held


def incoming_of(position: Position) -> Incoming | None:
    """Return what was last said to be on the way."""
    return position.incoming


def in_force(positions: Sequence[Position], register: Register) -> tuple[frozenset[str], int]:
    """Return the locations of which a count holds, and as of when the last one was made; -1: none.

    A store counts its locations by their names, or all in one, without: whichever it did last holds.
    """
    counted = [(count, each.location) for each in positions if (count := register(each))]
    if not counted:
        return frozenset(), -1
    last, location = max(counted, key=lambda each: (each[0].as_of_ms, each[0].offset))
    if location:
        return frozenset(each for _, each in counted if each), last.as_of_ms
    return frozenset([location]), last.as_of_ms


def on_hand(position: Position) -> int:
    """Return units on the shelf: the last count and every change since. Negative is oversold."""
    counted = position.level.units if position.level is not None else 0
    return counted + total(position.changes)


def reserved(position: Position) -> int:
    """Return units set aside, at the last count and since."""
    counted = position.held.units if position.held is not None else 0
    return max(0, counted + total(position.set_aside))


def expected(position: Position, since_ms: int, *, counted: bool) -> list[Expected]:
    """Return what is on the way there: as last said, where that holds, and ordered after *since_ms*."""
    ordered = [
        Expected(position.location, order.at_ms, order.due_ms, order.units)
        for order in position.ordered
        if order.at_ms > since_ms
    ]
    incoming = position.incoming
    if incoming is None or not counted:
        return ordered
    undated = incoming.units - sum(units for _, units in incoming.deliveries)
    dues = [*incoming.deliveries, *([(UNDATED, undated)] if undated > 0 else [])]
    said = [Expected(position.location, incoming.as_of_ms, *due) for due in dues]
    return [*said, *ordered]


def left(on_the_way: Iterable[Expected], receipts: Iterable[Receipt]) -> list[Expected]:
    """Return what of *on_the_way* has not arrived, the earliest due first and undated last.

    Each receipt is of what was ordered before it: for its own location first, and of that what was due
    first. What is received beyond is no delivery of anything.
    """
    waiting = sorted(on_the_way, key=lambda each: (each.due_ms == UNDATED, each.due_ms, each.at_ms))
    for receipt in sorted(receipts):
        waiting = _without(waiting, receipt)
    return waiting


def _without(waiting: list[Expected], receipt: Receipt) -> list[Expected]:
    rest = list(waiting)
    n_left = receipt.units
    for place in sorted(range(len(rest)), key=lambda n: rest[n].location != receipt.location):
        each = rest[place]
        if n_left and each.at_ms <= receipt.at_ms:
            arrived = min(n_left, each.units)
            n_left -= arrived
            rest[place] = each._replace(units=each.units - arrived)
    return [each for each in rest if each.units]


def latest_ms(position: Position) -> int:
    """Return when something was last heard to have happened there."""
    counts = (position.level, position.held, position.incoming)
    ends = [count.as_of_ms for count in counts if count is not None]
    changed = (position.changes, position.set_aside, position.received)
    ends += [changes[-1][0] for changes in changed if changes]
    ends += [order.at_ms for order in position.ordered[-1:]]
    return max(ends, default=0)


def is_counted(position: Position) -> bool:
    """Whether anything of it was ever counted."""
    return any(each is not None for each in (position.level, position.held, position.incoming))
