"""What a policy came to over the test, and how sure that is: intervals by bootstrap over products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.evaluation.shop import Flags
from stream.evaluation.warehouse import Replay

_N_RESAMPLED, _SEED = 1_000, 1
#: A day that wants as much as so many is one of bulk orders.
_BULK_DAYS = 14

#: Of each product, ``float64[product]``.
ByProduct = NDArray[np.float64]


class Measured(NamedTuple):
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Of one policy over the days of a test, by product.

    Attributes:
        lost: Units that were wanted and not there.
        lost_in_bulk: Of these, on days that wanted more than ``_BULK_DAYS`` mean ones of the test.
        days_out: Open days that ended with an empty shelf.
        alerts: Shelves that the policy said to order, once per situation.
        judged: Of these, the ones whose end the test has seen.
        right: Of the judged: without the order somebody would have gone without.
    """

    mean_stock: float
    n_open_days: int
    wanted: ByProduct
    lost: ByProduct
    lost_in_bulk: ByProduct
    days_out: ByProduct
    alerts: ByProduct
    judged: ByProduct
    right: ByProduct

    @property
    def units_lost(self) -> Measured:
        return total_of(self.lost)

    @property
    def share_lost(self) -> Measured:
        return ratio_of([self.lost], [self.wanted])

    @property
    def share_in_bulk(self) -> Measured:
        """Of the units lost: no shelf would hold what is wanted at once and so seldom."""
        return ratio_of([self.lost_in_bulk], [self.lost])

    @property
    def days_out_of_stock(self) -> Measured:
        """Mean over products."""
        return ratio_of([self.days_out], [np.ones_like(self.days_out)])

    @property
    def alerts_a_day(self) -> Measured:
        return total_of(self.alerts / self.n_open_days)

    @property
    def share_right(self) -> Measured:
        return ratio_of([self.right], [self.judged])


def outcome_of(replayed: Replay, n_days: int) -> Outcome:
    """Return what came over the last *n_days*; the days before them are how it began."""
    test = replayed.last(n_days)
    opened = alerts_of(replayed.ordered, replayed.is_open)[:, -n_days:]
    judged, right = judged_and_right(test, opened)
    is_bulk = test.wanted > _BULK_DAYS * test.wanted.mean(axis=1, keepdims=True)
    return Outcome(
        mean_stock=test.mean_stock,
        n_open_days=int(test.is_open.sum()),
        wanted=test.wanted.sum(axis=1).astype(float),
        lost=test.lost.sum(axis=1).astype(float),
        lost_in_bulk=(test.lost * is_bulk).sum(axis=1).astype(float),
        days_out=(test.on_hand[:, test.is_open] == 0).sum(axis=1).astype(float),
        alerts=opened.sum(axis=1).astype(float),
        judged=judged.sum(axis=1).astype(float),
        right=right.sum(axis=1).astype(float),
    )


def alerts_of(ordered: NDArray[np.int64], is_open: Flags) -> Flags:
    """Return ``bool[product, day]``: an order after a review at which there was none."""
    days = np.flatnonzero(is_open)
    orders = ordered[:, days] > 0
    opened = np.zeros(ordered.shape, dtype=bool)
    opened[:, days] = orders & ~np.pad(orders, ((0, 0), (1, 0)))[:, :-1]
    return opened


def judged_and_right(test: Replay, opened: Flags) -> tuple[Flags, Flags]:
    """Return which alerts can be judged by the demand that came, and which were right.

    One is right if, without its order and any later one, a customer would have gone without before
    an order placed one review later could have arrived. What was on the way by then still arrives.
    """
    n_days = test.wanted.shape[1]
    product, day = np.nonzero(opened)
    next_review = np.array([_next_open(test.is_open, at) for at in range(n_days)])[day]
    until = next_review + test.lead_days
    can_judge = until < n_days
    product, day, until = product[can_judge], day[can_judge], until[can_judge]
    shelf, short = test.on_hand[product, day].copy(), np.zeros(len(product), dtype=bool)
    for ahead in range(1, int((until - day).max(initial=0)) + 1):
        at = np.minimum(day + ahead, n_days - 1)
        matters = day + ahead <= until
        if ahead <= test.lead_days:
            shelf += test.arrived[product, at]
        wanted = np.where(matters, test.wanted[product, at], 0)
        short |= wanted > shelf
        shelf = np.maximum(shelf - wanted, 0)
    judged, right = np.zeros_like(opened), np.zeros_like(opened)
    judged[product, day], right[product, day] = True, short
    return judged, right


def total_of(numbers: ByProduct) -> Measured:
    """Return the sum over products."""
    drawn = _draws(len(numbers)) @ numbers
    return _measured(float(numbers.sum()), drawn)


def ratio_of(above: Sequence[ByProduct], below: Sequence[ByProduct]) -> Measured:
    """Return the ratio of two sums over products, and over groups of products if there are several.

    Both are of the same products, which are drawn for both at once, in each group as many as it has.
    """
    totals = [
        _draws(len(over), at) @ np.stack((over, under), axis=1)
        for at, (over, under) in enumerate(zip(above, below, strict=True))
    ]
    drawn = np.sum(totals, axis=0)
    over, under = (sum(float(part.sum()) for part in each) for each in (above, below))
    return _measured(over / max(under, 1e-9), drawn[:, 0] / np.maximum(drawn[:, 1], 1e-9))


@cache
def _draws(n_products: int, group: int = 0) -> NDArray[np.int64]:
    """Return how often each product is in each resample, ``int64[resample, product]``."""
    draw = np.random.default_rng((_SEED, group))
    return draw.multinomial(n_products, np.full(n_products, 1 / n_products), _N_RESAMPLED)


def _measured(value: float, drawn: ByProduct) -> Measured:
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Measured(value, float(low), float(high))


def _next_open(is_open: Flags, day: int) -> int:
    """Return the next open day; beyond the end any day may be one."""
    later = np.flatnonzero(is_open[day + 1 :])
    return day + 1 + int(later[0]) if later.size else len(is_open)
