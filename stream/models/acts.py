"""What a visitor did, as the network reads it: columns of products, times and kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.domain.trail import Kind

Row = NDArray[np.int64]
Inside = NDArray[np.bool_]
#: A place behind every other.
NEVER = np.iinfo(np.int64).max


class Acts(NamedTuple):
    """The acts of one visitor, oldest first, in columns of equal length.

    Attributes:
        items: Index of each product, from 1.
        at_ms: When it was. What has one time was done at once, as the lines of an order are; where
            times are not known, any numbers that rise.
        kinds: ``domain.trail.Kind`` of each.
    """

    items: Row
    at_ms: Row
    kinds: Row

    def first(self, n_acts: int) -> Acts:
        """Return the oldest *n_acts*."""
        return Acts(*(column[:n_acts] for column in self))

    def newest(self, n_acts: int) -> Acts:
        """Return the latest *n_acts*."""
        return Acts(*(column[-n_acts:] for column in self))

    def bought_at(self) -> Row:
        """Return, for each look at a product, the place where it was bought next, else a large one."""
        bought: dict[int, int] = {}
        found = np.full(len(self.items), NEVER, dtype=np.int64)
        acts = zip(self.items.tolist(), self.kinds.tolist(), strict=True)
        for place, (item, kind) in reversed([*enumerate(acts)]):
            if kind == Kind.PURCHASE:
                bought[item] = place
            else:
                found[place] = bought.get(item, NEVER)
        return found

    def as_read(self) -> Acts:
        """Return them without looks at what was bought later, as ``domain.history`` has it."""
        kept = np.flatnonzero(self.bought_at() == NEVER)
        kept = kept[last_of_runs(self.items[kept])]
        return Acts(*(column[kept] for column in self))

    @property
    def begins(self) -> Row:
        """Where each moment begins: what was done at once is one."""
        return np.flatnonzero(np.diff(self.at_ms, prepend=self.at_ms[:1] - 1))


class History(NamedTuple):
    """The same of a visitor by product ids, as they come from a store's records."""

    product_ids: Sequence[str]
    at_ms: Sequence[int]
    kinds: Sequence[int]

    @classmethod
    def in_order(cls, product_ids: Sequence[str]) -> History:
        """Return views of which only the order is known."""
        return cls(product_ids, range(len(product_ids)), [Kind.VIEW] * len(product_ids))

    @classmethod
    def bought(cls, product_ids: Sequence[str], at_ms: Sequence[int]) -> History:
        """Return purchases; what was paid at one time was one order."""
        return cls(product_ids, at_ms, [Kind.PURCHASE] * len(product_ids))


def indexed(histories: Sequence[History], product_ids: Sequence[str]) -> list[Acts]:
    """Return *histories* as columns, without unknown products; who is left with none is left out."""
    index = {product_id: i for i, product_id in enumerate(product_ids, start=1)}
    rows = [_columns(history, index) for history in histories]
    return [row for row in rows if len(row.items)]


def _columns(history: History, index: Mapping[str, int]) -> Acts:
    items = np.array([index.get(each, 0) for each in history.product_ids], dtype=np.int64)
    at_ms, kinds = (np.array(each, dtype=np.int64) for each in history[1:])
    return merged(Acts(items, at_ms, kinds))


def merged(acts: Acts) -> Acts:
    """Return *acts* without index 0, and with runs of one product as their last act: one interest.

    A purchase in a run stays beside a look that came after it: looks before it, outside the run, are
    left out because of it. What is read has the one act, see ``last_of_runs``.
    """
    known = acts.items > 0
    items, at_ms, kinds = (column[known] for column in acts)
    bought = kinds == Kind.PURCHASE
    kept = last_of_runs(items) | (bought & ~np.append(bought[1:], True))
    return Acts(items[kept], at_ms[kept], kinds[kept])


def last_of_runs(items: Row) -> Inside:
    """Return whether what comes after each item, in the last axis, is another one."""
    last: Inside = np.diff(items, append=0) != 0
    return last
