"""The store's days: when one begins where the store is, and on which it is closed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

DAY_MS = 24 * 3600 * 1000
#: Clocks change, and zones differ, by multiples of it.
_QUARTER_MS = 15 * 60 * 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY = _EPOCH.date()
_LAST_DAY = (date.max - _FIRST_DAY).days


class Calendar:
    """Days in a time zone, as numbers since the Unix epoch, and whether the store is open on them.

    Args:
        zone: Where a day begins at midnight, whenever clocks change there.
        closed_weekdays: On which the store sells nothing; Monday 0.
        closed_days: The same on single days.
    """

    def __init__(
        self,
        zone: tzinfo = UTC,
        *,
        closed_weekdays: Collection[int] = (),
        closed_days: Collection[int] = (),
    ) -> None:
        self._zone = zone
        self._closed_weekdays = frozenset(closed_weekdays)
        self._closed_days = frozenset(closed_days)
        # A quarter of an hour after the other, so that an event costs a look into a table.
        self._day_of_quarter = lru_cache(maxsize=16_384)(self._found_day)
        self.opening = lru_cache(maxsize=1024)(self._opening)
        """Return ``bool[n_days]``: whether the store sells on a day, the day after, and so on."""

    def day_of(self, at_ms: int) -> int:
        """Return the day of *at_ms*: days since the Unix epoch, where the store is."""
        if self._zone is UTC:
            return at_ms // DAY_MS
        return self._day_of_quarter(at_ms // _QUARTER_MS)

    def days_of(self, at_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the day of each of *at_ms*: as ``day_of``, asked once a quarter of an hour."""
        quarters, places = np.unique(at_ms // _QUARTER_MS, return_inverse=True)
        days = [self.day_of(quarter * _QUARTER_MS) for quarter in quarters.tolist()]
        return np.array(days, dtype=np.int64)[places]

    def is_open(self, day: int) -> bool:
        """Whether the store sells on *day*."""
        return day not in self._closed_days and weekday_of(day) not in self._closed_weekdays

    def _opening(self, first: int, n_days: int) -> NDArray[np.bool_]:
        days = range(first, first + n_days)
        found = np.array([self.is_open(day) for day in days], dtype=bool)
        found.setflags(write=False)
        return found

    def _found_day(self, quarter: int) -> int:
        try:
            moment = _EPOCH + timedelta(milliseconds=quarter * _QUARTER_MS)
            return (moment.astimezone(self._zone).date() - _FIRST_DAY).days
        except OverflowError:  # beyond the last day of the year 9999, or before the year 1
            return quarter * _QUARTER_MS // DAY_MS


#: Days begin at midnight UTC and the store is never closed.
UTC_DAYS = Calendar()


def weekday_of(day: int) -> int:
    """Return the weekday of *day*, Monday 0: day 0 was a Thursday."""
    return (day + 3) % 7


def date_of(day: int) -> str:
    """Return *day* as an ISO 8601 date; the last one of the year 9999 for what is beyond."""
    return (_FIRST_DAY + timedelta(days=min(day, _LAST_DAY))).isoformat()
