"""How long a shelf lasts: demand ahead against what is there and what arrives."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from stream.domain.calendar import Calendar
from stream.domain.positions import UNDATED, Due
from stream.model_specs import HORIZON_DAYS

#: Days that are looked ahead: a lead time and an order that lasts, of a year each, and some more.
N_AHEAD = 800
#: What lasts longer than this lasts for ever, for a planner.
LONGEST_DAYS = 365
#: Room for rounding in sums of float32.
EPSILON = 1e-4

_BEYOND = np.arange(HORIZON_DAYS + 1, N_AHEAD + 1) / HORIZON_DAYS

#: Units wanted over the next 0, 1, 2, … days, or there to be sold until the end of each.
Course = NDArray[np.float64]


def course(by_day: NDArray[np.float32], mean: NDArray[np.float32]) -> Course:
    """Return a quantile of demand over the next 0, 1, … ``N_AHEAD`` days.

    Beyond the horizon the mean goes on at its average, and what the quantile is away from it grows as
    the root of the days, as the spread of a sum of independent days does.

    Args:
        by_day: ``float32[HORIZON_DAYS]``, cumulative: a quantile of the forecast.
        mean: The same of its mean.
    """
    expected = float(mean[-1])
    away = float(by_day[-1]) - expected
    beyond = expected * _BEYOND + away * np.sqrt(_BEYOND)
    return np.concatenate(([0.0], by_day, np.maximum(beyond, by_day[-1])))


def supply(
    units: int, due: Iterable[Due], *, today: int, lead_days: float, calendar: Calendar
) -> Course:
    """Return what can be sold until the end of each day ahead: *units*, and deliveries when they are due.

    A delivery without a date takes a lead time from now; one that is late is not counted on.
    """
    arrivals = np.zeros(N_AHEAD + 1)
    arrivals[0] = units
    for due_ms, arriving in due:
        ahead = ceil(lead_days) if due_ms == UNDATED else calendar.day_of(due_ms) - today
        if 0 <= ahead <= N_AHEAD:
            arrivals[max(1, ahead)] += arriving
    return np.cumsum(arrivals)


def wanted(demand: Course, days: float) -> float:
    """Return units wanted over *days*, between two days in proportion."""
    whole = min(int(days), N_AHEAD - 1)
    return float(demand[whole] + (days - whole) * (demand[whole + 1] - demand[whole]))


def nearest(units: float) -> int:
    """Return the count that a quantile between counts stands for: see ``models/counts.py``."""
    return floor(units + 0.5 + EPSILON)


def lasts_days(demand: Course, there: Course) -> float | None:
    """Return after how many days nothing of *there* is left, within a day in proportion.

    None for more than ``LONGEST_DAYS``. What is there already is all of the first day's.
    """
    if there[0] <= 0 and there[1] <= 0:
        return 0.0
    empty = np.flatnonzero(demand[1:] >= there[1:] - EPSILON)
    if not empty.size:
        return None
    day = int(empty[0])
    a_day = max(float(demand[day + 1] - demand[day]), EPSILON)
    share = (float(there[day + 1]) - float(demand[day])) / a_day
    lasts = round(day + max(0.0, min(1.0, share)), 2)
    return lasts if lasts <= LONGEST_DAYS else None


def covered_day(
    units: int, due: Iterable[Due], *, more_than: int, today: int, calendar: Calendar
) -> int | None:
    """Return the day on which dated deliveries that are not late bring *units* to *more_than* so many.

    None where they do not, or where it needs none.
    """
    if units > more_than:
        return None
    for due_ms, arriving in due:
        if due_ms != UNDATED and (day := calendar.day_of(due_ms)) >= today:
            units += arriving
            if units > more_than:
                return day
    return None
