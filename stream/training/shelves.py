"""When nothing of a product could be sold: its shelf, folded as workers fold it, in order of time.

A worker hears of a shelf as it comes. Here all of it is known at once, so that a count holds as of when it was
made, and an order that was heard of late takes its units off when it was placed.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.domain.applied import STOCK_LEVELS_TOPIC, Source
from stream.domain.events import (
    PositionFact,
    StockAdjusted,
    StockLevelSet,
    StockMovement,
    StockReceived,
)
from stream.domain.position_folding import Positions, told
from stream.domain.products import Product, is_sold_out

#: When a drought ends that lasts: the last moment that an event may name.
NEVER_MS = 253_402_300_799_999
_UNSAID = -1


@dataclass(frozen=True, slots=True, eq=False)
class Droughts:
    """Times in which nothing of a product could be sold, in columns of equal length.

    Attributes:
        products: Whose each is.
        since_ms: When the last of it went.
        until_ms: When it could be sold again; ``NEVER_MS`` where it cannot yet.
    """

    products: NDArray[np.object_]
    since_ms: NDArray[np.int64]
    until_ms: NDArray[np.int64]

    @classmethod
    def of(cls, found: Iterable[tuple[str, int, int]]) -> Droughts:
        """Return *found*, each as product, since and until."""
        rows = [*found]
        products, since_ms, until_ms = zip(*rows, strict=True) if rows else ((), (), ())
        return cls(
            np.array(products, dtype=object),
            np.array(since_ms, dtype=np.int64),
            np.array(until_ms, dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.since_ms)


NO_DROUGHTS = Droughts.of(())


class _Fact(NamedTuple):
    """A count of a shelf, or a change of one: whole numbers, so that millions fit in memory."""

    product: int
    at_ms: int
    is_count: int
    units: int
    set_aside: int
    location: int
    partition: int
    offset: int


class Shelves:
    """What is known of all products' shelves: 64 bytes a fact, in any order."""

    def __init__(self) -> None:
        self._facts = array("q")
        self._products = dict[str, int]()
        self._locations = dict[str, int]()

    def told(self, event: PositionFact, source: Source) -> None:
        """Take in *event*; what is only ordered from a supplier moves no shelf."""
        at_ms = event.occurred_at_ms
        if isinstance(event, StockLevelSet):
            as_of_ms = at_ms if event.as_of_ms is None else event.as_of_ms
            set_aside = _UNSAID if event.reserved is None else event.reserved
            self._add(event, as_of_ms, (1, event.on_hand, set_aside), source=source)
        elif isinstance(event, StockReceived):
            self._add(event, at_ms, (0, event.quantity, 0), source=source)
        elif isinstance(event, StockAdjusted):
            change = 0, event.difference, event.reserved_difference
            self._add(event, at_ms, change, source=source)

    def moved(self, movement: StockMovement, source: Source) -> None:
        """Take in what an order's line took off a shelf, or put back."""
        self._add(movement, movement.occurred_at_ms, (0, movement.units, 0), source=source)

    def droughts(self) -> Droughts:
        """Return when nothing could be sold of each product that was ever counted.

        A fact takes 10 to 30 microseconds, most where a product has many since its last count.
        """
        facts = np.frombuffer(self._facts, dtype=np.int64).reshape(-1, len(_Fact._fields))
        products, at_ms, is_count, *_ = facts.T
        is_counted = np.zeros(len(self._products), dtype=bool)
        is_counted[products[is_count > 0]] = True
        order = np.lexsort((at_ms, products))
        facts = facts[order[is_counted[products[order]]]]
        names, locations = [*self._products], [*self._locations]
        cuts = np.flatnonzero(np.diff(facts[:, 0])) + 1
        return Droughts.of(
            (names[of_one[0, 0]], *drought)
            for of_one in np.split(facts, cuts)
            if len(of_one)
            for drought in _droughts(map(_Fact._make, of_one.tolist()), locations)
        )

    def _add(
        self,
        fact: PositionFact | StockMovement,
        at_ms: int,
        what: tuple[int, int, int],
        *,
        source: Source,
    ) -> None:
        product = self._products.setdefault(fact.product_id, len(self._products))
        place = self._locations.setdefault(fact.location or "", len(self._locations))
        self._facts.extend((product, at_ms, *what, place, source.partition, source.offset))


def _droughts(facts: Iterable[_Fact], locations: list[str]) -> Iterator[tuple[int, int]]:
    """Yield since when and until when there was nothing to sell; *facts* are in order of time."""
    positions: Positions = ()
    since_ms: int | None = None
    for at_ms, of_moment in groupby(facts, key=attrgetter("at_ms")):
        for fact in of_moment:
            positions = _folded(positions, fact, locations)
        is_dry = is_sold_out(Product("", positions=positions))
        if is_dry and since_ms is None:
            since_ms = at_ms
        elif not is_dry and since_ms is not None:
            yield since_ms, at_ms
            since_ms = None
    if since_ms is not None:
        yield since_ms, NEVER_MS


def _folded(positions: Positions, fact: _Fact, locations: list[str]) -> Positions:
    location = locations[fact.location] or None
    source = Source(STOCK_LEVELS_TOPIC, fact.partition, 0, fact.offset)
    if not fact.is_count:
        change = StockAdjusted(
            event_id="",
            occurred_at_ms=fact.at_ms,
            product_id="",
            location=location,
            difference=fact.units,
            reserved_difference=fact.set_aside,
        )
        return told(positions, change, source)
    count = StockLevelSet(
        event_id="",
        occurred_at_ms=fact.at_ms,
        product_id="",
        location=location,
        on_hand=fact.units,
        reserved=None if fact.set_aside == _UNSAID else fact.set_aside,
    )
    return told(positions, count, source)
