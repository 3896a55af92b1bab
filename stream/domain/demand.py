"""Units wanted a day, by the day it happened, and what they say without any model.

What sold is not what was wanted: on a day on which a product was sold out, or that is not over yet,
more may have been. Such a day counts as what ordinary days bring that sold as much, at least. A day on
which the store is closed is unknown.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from stream.domain.calendar import UTC_DAYS, Calendar
from stream.model_specs import HORIZON_DAYS, PAST_DAYS, QUANTILES

#: Days of history from which sums over the whole horizon are counted instead of assumed.
MIN_COUNTED_DAYS = 2 * HORIZON_DAYS
UNKNOWN = -1.0
_SCORES = np.array([NormalDist().inv_cdf(level) for level in QUANTILES])
_ALWAYS_OPEN = np.ones(HORIZON_DAYS, dtype=bool)

#: A day since the Unix epoch and its net units: ordered less cancelled, so it may be negative.
DayUnits = tuple[int, int]
#: Units a day, the last one today.
Window = NDArray[np.float32]


def add_units(demand: tuple[DayUnits, ...], day: int, units: int) -> tuple[DayUnits, ...]:
    """Return *demand* with *units* more on *day*, without days too old for any window.

    Old is measured from the latest day of *demand*, so the order of arrival leaves no trace.
    """
    place = bisect_left(demand, (day,))
    if place < len(demand) and demand[place][0] == day:
        entry = (day, demand[place][1] + units)
        return (*demand[:place], entry, *demand[place + 1 :])
    latest = max(day, demand[-1][0]) if demand else day
    after = (*demand[:place], (day, units), *demand[place:])
    return after[bisect_left(after, (latest - PAST_DAYS + 1,)) :]


def sold(demand: tuple[DayUnits, ...], first: int, n_days: int) -> Window:
    """Return ``float32[n_days]``: units ordered on *first* and the days after, none below 0.

    A day on which more was cancelled than ordered takes the rest off the days before it: what is
    cancelled was ordered earlier.
    """
    units = np.zeros(n_days, np.float32)
    owed = 0
    for day, net in reversed(demand):
        if day < first:
            break
        if day < first + n_days:
            units[day - first] = max(0, net - owed)
            owed = max(0, owed - net)
    return units


def window(
    demand: tuple[DayUnits, ...],
    known_since_day: int | None,
    today: int,
    *,
    sold_out: Sequence[int] = (),
    calendar: Calendar = UTC_DAYS,
) -> Window:
    """Return ``float32[PAST_DAYS]``: units wanted a day, *today* last, -1 where unknown.

    Unknown are the days before *known_since_day*, and those on which the store was closed, unless it
    sold. Those *sold_out*, and today, are as they were likely wanted: see :func:`filled`.
    """
    first = today - PAST_DAYS + 1
    units = sold(demand, first, PAST_DAYS)
    known = calendar.opening(first, PAST_DAYS) | (units > 0)
    since = today + 1 if known_since_day is None else known_since_day
    known[: min(PAST_DAYS, max(0, since - first))] = False
    censored = np.zeros(PAST_DAYS, dtype=bool)
    censored[-1] = True
    for day in sold_out:
        if first <= day <= today:
            censored[day - first] = True
    return filled(units, known, censored)


def filled(units: Window, known: NDArray[np.bool_], censored: NDArray[np.bool_]) -> Window:
    """Return *units* with -1 where they are unknown, and *censored* days as likely as not.

    A censored day that sold nothing is unknown where there is no other day to go by.
    """
    ordinary, cut = known & ~censored, known & censored
    wanted = np.where(known, units, np.float32(UNKNOWN))
    if not cut.any():
        return wanted
    likely = likely_wanted(units[cut], units[None], ordinary[None])
    wanted[cut] = np.where((likely > 0) | ordinary.any(), likely, np.float32(UNKNOWN))
    return wanted


def likely_wanted(
    sold: NDArray[np.float32], past: NDArray[np.float32], ordinary: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return what was likely wanted on days on which no more than *sold* could be.

    The mean of the *ordinary* days that sold as much, at least; where there is none, what sold. A day
    that sells out is one of the better ones: to leave it out would leave the weak ones.

    Args:
        sold: ``float32[day]``.
        past: ``float32[day or 1, past]``.
        ordinary: ``bool[day or 1, past]``.
    """
    possible = ordinary & (past >= sold[:, None])
    n_possible = possible.sum(axis=1)
    mean = (past * possible).sum(axis=1) / np.maximum(n_possible, 1)
    return np.where(n_possible > 0, mean, sold).astype(np.float32)


def total(demand: tuple[DayUnits, ...], since_day: int, today: int) -> int:
    """Return units ordered from *since_day* to *today*, both included, no day below 0."""
    return int(sold(demand, since_day, today - since_day + 1).sum())


def last_sale_day(demand: tuple[DayUnits, ...]) -> int | None:
    """Return the latest day on which more was ordered than cancelled; None without one."""
    return next((day for day, net in reversed(demand) if net > 0), None)


def empirical_quantiles(
    units: Window, opening: NDArray[np.bool_] = _ALWAYS_OPEN
) -> NDArray[np.float32]:
    """Return a forecast from the product's own past, for when no model answers.

    With ``MIN_COUNTED_DAYS`` known days these are quantiles of the sums over every run of 1, 2, …
    days; with fewer, those of a Poisson demand of the same mean, by its normal approximation.

    Args:
        units: ``float32[HISTORY_DAYS]``: the last days of what ``window`` gives.
        opening: ``bool[HORIZON_DAYS]``: whether the store sells on the days ahead.

    Returns:
        ``float32[HORIZON_DAYS, len(QUANTILES)]``, cumulative, never falling along either axis:
        what the forecaster answers.
    """
    known = units[units >= 0].astype(np.float64)
    n_open = np.cumsum(opening, dtype=np.int64)
    counted = known.size >= MIN_COUNTED_DAYS
    by_day = _counted(known, n_open) if counted else _poisson(known, n_open)
    rising: NDArray[np.float64] = np.maximum.accumulate(np.maximum(by_day, 0), axis=0)
    return np.maximum.accumulate(rising, axis=1).astype(np.float32)


def _counted(known: NDArray[np.float64], n_open: NDArray[np.int64]) -> NDArray[np.float64]:
    running = np.concatenate(([0.0], np.cumsum(known)))
    return np.stack(
        [
            np.quantile(running[n_days:] - running[: len(running) - n_days], QUANTILES)
            for n_days in n_open.tolist()
        ]
    )


def _poisson(known: NDArray[np.float64], n_open: NDArray[np.int64]) -> NDArray[np.float64]:
    mean = float(known.mean()) if known.size else 0.0
    expected = mean * n_open[:, None]
    return np.asarray(expected + _SCORES * np.sqrt(expected))
