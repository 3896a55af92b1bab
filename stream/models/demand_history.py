"""What all products sold, and what is known of the days: all that a forecaster is trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1.0
#: Products that sell on a usual day, from which a day without any is a closed one: where sales are
#: independent, an open day without one then comes once in three years (Poisson, exp(-7)).
_MIN_SELLING = 7

Demand = NDArray[np.float32]
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
    """Return the steps on which the shop was open, ``bool[step]``, by what all its products sold.

    A step without any sale is a closed one where that is no chance: where several products sell on
    a usual one.
    """
    n_selling = (units > 0).sum(axis=0)
    usual = np.median(n_selling[n_selling > 0]) if n_selling.any() else 0
    is_open: Days = (n_selling > 0) | (usual < _MIN_SELLING)
    return is_open


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
