"""What all products sold, and what is known of the days: all that a forecaster is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1.0
#: Products that sell on a usual day, from which a day without any is a closed one: where sales are
#: independent, an open day without one then comes once in three years (Poisson, exp(-7)).
_MIN_SELLING = 7
#: Weeks without a sale on a weekday from which the shop is closed on it.
_MIN_WEEKS = 8
_DAYS_A_WEEK = 7

Demand = NDArray[np.float32]
Indices = NDArray[np.integer[Any]]
Prices = NDArray[np.float32]
Days = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class DemandHistory:
    """Demand by step, all products over the same steps.

    Attributes:
        units: ``float32[product, step]``, -1 where unknown: before a product was, or sold out.
        first_phase: Phase of the first step in its season.
        is_open: ``bool[step]``, and further ahead as far as a calendar is known.
        price: ``float32[product, step]``, logarithm of the price over the usual one, 0 where
            unknown; further ahead as far as prices are planned.
    """

    units: Demand
    first_phase: int
    is_open: Days
    price: Demand

    @classmethod
    def of(
        cls,
        units: Demand,
        first_phase: int,
        *,
        is_open: Days | None = None,
        price: Demand | None = None,
    ) -> DemandHistory:
        """Return the history of a shop that is always open, at usual prices, but for what is told."""
        always = np.ones(units.shape[1], dtype=bool)
        usual = np.zeros_like(units)
        return cls(
            units,
            first_phase,
            always if is_open is None else is_open,
            usual if price is None else price,
        )

    def until(self, step: int) -> DemandHistory:
        """Return what was sold before *step*, and all that is known of the days."""
        return DemandHistory(self.units[:, :step], self.first_phase, self.is_open, self.price)


def open_steps(units: Demand) -> Days:
    """Return the days on which the shop was open, ``bool[day]``, by what all its products sold.

    A day without any sale is a closed one where that is no chance: where several products sell on
    a usual one, or where nothing has sold on its weekday for weeks.
    """
    n_selling = (units > 0).sum(axis=0)
    if not n_selling.any():
        return np.ones(len(n_selling), dtype=bool)
    weekday = np.arange(len(n_selling)) % _DAYS_A_WEEK
    of_weekday = np.bincount(weekday, n_selling, minlength=_DAYS_A_WEEK)
    is_closed_weekly = (of_weekday == 0) & (len(n_selling) >= _MIN_WEEKS * _DAYS_A_WEEK)
    is_much = np.median(n_selling[n_selling > 0]) >= _MIN_SELLING
    is_open: Days = (n_selling > 0) | ~(is_much | is_closed_weekly[weekday])
    return is_open


def mean_by_day(
    prices: NDArray[np.floating[Any]], products: Indices, days: Indices, *, shape: tuple[int, ...]
) -> Prices:
    """Return the mean price of each product's lines of a day, ``float32[product, day]``.

    Args:
        prices: Of a unit, a line each; NaN where unknown. So are days without a line that has one.
    """
    is_known = np.isfinite(prices)
    lines = products[is_known], days[is_known]
    total, n_lines = np.zeros(shape), np.zeros(shape)
    np.add.at(total, lines, prices[is_known])
    np.add.at(n_lines, lines, 1)
    means: Prices = np.full(shape, np.nan, dtype=np.float32)
    np.divide(total, n_lines, out=means, where=n_lines > 0, casting="same_kind")
    return means


def without_sold_out(units: Demand, is_sold_out: Days) -> Demand:
    """Return *units* with days on which a product was sold out unknown: more may have been wanted.

    A day that sold what an ordinary one does, the mean of those on which it was not sold out, stays:
    at least so much was wanted, and to forget the best days would teach too little.

    Args:
        is_sold_out: ``bool[product, step]``, at any time of the step.
    """
    is_ordinary = (units >= 0) & ~is_sold_out
    n_ordinary = is_ordinary.sum(axis=1, keepdims=True)
    total = np.where(is_ordinary, units, 0).sum(axis=1, keepdims=True)
    ordinary = np.where(n_ordinary > 0, total / np.maximum(n_ordinary, 1), np.inf)
    return np.where(is_sold_out & (units < ordinary), UNKNOWN, units).astype(np.float32)
