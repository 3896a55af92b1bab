"""The rules that planners use: order up to a level that past sales give."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.evaluation.shop import Counts
from stream.evaluation.warehouse import REVIEW_DAYS, Seen, whole

_Numbers = NDArray[np.float64]
#: Days that Stocky looks back.
_RECENT_DAYS = 30
#: Days that the rolling rule looks back: those that our forecaster reads. Of 30, 56 and 84 it lost
#: the least on the 90 days before the test, and less where days without stock were left out.
_ROLLING_DAYS = 84
#: Days in stock that are enough to leave the others out.
_MIN_IN_STOCK = 7


class RecentSales:
    """Stocky's rule: order up to the mean daily sales of the last 30 days times the lead time.

    Args:
        times: So many times that; the rule itself has nothing to set.
    """

    def __init__(self, lead_days: int, *, times: float = 1.0) -> None:
        self._days = lead_days * times

    def orders(self, seen: Seen) -> Counts:
        daily: _Numbers = seen.sold[:, -_RECENT_DAYS:].mean(axis=1)
        return up_to(daily * self._days, seen)


class SafetyStock:
    """Order up to the mean over lead time and review and *z* deviations, learnt once from *past*.

    Args:
        past: ``int64[product, day]``: all that sold before the test.
    """

    def __init__(self, past: Counts, lead_days: int, *, z: float) -> None:
        self._level = level_of(past.mean(axis=1), past.std(axis=1), lead_days, z=z)

    def orders(self, seen: Seen) -> Counts:
        return up_to(self._level, seen)


class RollingSafetyStock:
    """The same, learnt anew at each review from the last 84 days.

    Days on which the shelf ran out are left out, unless few others are left or the mean fell: what
    sold then is not what was wanted.
    """

    def __init__(self, lead_days: int, *, z: float) -> None:
        self._lead_days, self._z = lead_days, z

    def orders(self, seen: Seen) -> Counts:
        sold = seen.sold[:, -_ROLLING_DAYS:].astype(float)
        counts = ~seen.ran_out[:, -_ROLLING_DAYS:]
        counts |= counts.sum(axis=1, keepdims=True) < _MIN_IN_STOCK
        mean, deviation = _of_days(sold, counts)
        mean = np.maximum(mean, sold.mean(axis=1))
        return up_to(level_of(mean, deviation, self._lead_days, z=self._z), seen)


def level_of(mean: _Numbers, deviation: _Numbers, lead_days: int, *, z: float) -> _Numbers:
    """Return the order-up-to level over lead time and review, for days that are independent.

    Silver, Pyke and Thomas (2017), chapter 6: the mean over both and *z* deviations of it.
    """
    days = lead_days + REVIEW_DAYS
    level: _Numbers = mean * days + z * deviation * np.sqrt(days)
    return level


def up_to(level: _Numbers, seen: Seen) -> Counts:
    """Return what *level*, in whole units, is above what is on the shelf and on the way."""
    orders: Counts = np.maximum(whole(level) - seen.position, 0)
    return orders


def _of_days(sold: _Numbers, counts: NDArray[np.bool_]) -> tuple[_Numbers, _Numbers]:
    """Return mean and deviation of each row over the days that count."""
    n_days = counts.sum(axis=1)
    mean = (sold * counts).sum(axis=1) / n_days
    squares = ((sold - mean[:, None]) ** 2 * counts).sum(axis=1)
    return mean, np.sqrt(squares / n_days)
