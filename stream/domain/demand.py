"""Units wanted a day, by the day it happened (UTC), and what they say without any model."""

from __future__ import annotations

from bisect import bisect_left
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from stream.model_specs import HISTORY_DAYS, HORIZON_DAYS, QUANTILES

DAY_MS = 24 * 3600 * 1000
#: Days of history from which sums over the whole horizon are counted instead of assumed.
MIN_COUNTED_DAYS = 2 * HORIZON_DAYS

#: A day since the Unix epoch and its net units: sold less returned, so it may be negative.
DayUnits = tuple[int, int]


def day_of(at_ms: int) -> int:
    """Return the day of *at_ms*: days since the Unix epoch, UTC."""
    return at_ms // DAY_MS


def weekday_of(day: int) -> int:
    """Return the weekday of *day*, Monday 0: day 0 was a Thursday."""
    return (day + 3) % 7


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
    return after[bisect_left(after, (latest - HISTORY_DAYS + 1,)) :]


def window(
    demand: tuple[DayUnits, ...], known_since_day: int | None, today: int
) -> NDArray[np.float32]:
    """Return ``float32[HISTORY_DAYS]``: units a day, *today* last.

    -1 stands for days before *known_since_day*; a day with more returned than sold counts 0.
    """
    first = today - HISTORY_DAYS + 1
    units = np.zeros(HISTORY_DAYS, np.float32)
    unknown = HISTORY_DAYS if known_since_day is None else known_since_day - first
    units[: min(HISTORY_DAYS, max(0, unknown))] = -1
    for day, net in demand:
        if first <= day <= today:
            units[day - first] = max(0, net)
    return units


def total(demand: tuple[DayUnits, ...], since_day: int, today: int) -> int:
    """Return units wanted from *since_day* to *today*, both included, no day below 0."""
    return sum(max(0, net) for day, net in demand if since_day <= day <= today)


def empirical_quantiles(units: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a forecast from the product's own past, for when no model answers.

    With ``MIN_COUNTED_DAYS`` known days these are quantiles of the sums over every run of 1, 2, …
    days; with fewer, those of a Poisson demand of the same mean, by its normal approximation.

    Args:
        units: ``float32[HISTORY_DAYS]`` as ``window`` gives it.

    Returns:
        ``float32[HORIZON_DAYS, len(QUANTILES)]``, cumulative, never falling along either axis:
        what the forecaster answers.
    """
    known = units[units >= 0].astype(np.float64)
    by_day = _counted(known) if known.size >= MIN_COUNTED_DAYS else _poisson(known)
    rising: NDArray[np.float64] = np.maximum.accumulate(np.maximum(by_day, 0), axis=0)
    return np.maximum.accumulate(rising, axis=1).astype(np.float32)


def _counted(known: NDArray[np.float64]) -> NDArray[np.float64]:
    running = np.concatenate(([0.0], np.cumsum(known)))
    return np.stack(
        [
            np.quantile(running[n_days:] - running[:-n_days], QUANTILES)
            for n_days in range(1, HORIZON_DAYS + 1)
        ]
    )


def _poisson(known: NDArray[np.float64]) -> NDArray[np.float64]:
    mean = float(known.mean()) if known.size else 0.0
    expected = mean * np.arange(1, HORIZON_DAYS + 1)[:, None]
    deviations = np.array([NormalDist().inv_cdf(level) for level in QUANTILES])
    return np.asarray(expected + deviations * np.sqrt(expected))
