from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from stream.domain.calendar import DAY_MS, UTC_DAYS, Calendar, date_of, weekday_of

BERLIN = Calendar(ZoneInfo("Europe/Berlin"))


def ms_of(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-01-31T22:59:59.999+00:00", "2026-01-31"),
        ("2026-01-31T23:00:00+00:00", "2026-02-01"),
        ("2026-07-31T21:59:59.999+00:00", "2026-07-31"),
        ("2026-07-31T22:00:00+00:00", "2026-08-01"),
    ],
)
def test_day_begins_at_midnight_in_summer_as_in_winter(moment: str, day: str) -> None:
    assert date_of(BERLIN.day_of(ms_of(moment))) == day


def test_days_on_which_clocks_change_are_an_hour_shorter_or_longer() -> None:
    hours = [BERLIN.day_of(ms_of("2026-03-28T23:00:00+00:00") + n * 3_600_000) for n in range(49)]

    assert [hours.count(day) for day in sorted(set(hours))] == [23, 24, 2]


def test_last_moment_that_events_may_have_is_a_day_too() -> None:
    last_ms = 253_402_300_799_999

    assert Calendar(ZoneInfo("Pacific/Kiritimati")).day_of(last_ms) >= UTC_DAYS.day_of(last_ms)
    assert date_of(UTC_DAYS.day_of(last_ms) + 5) == "9999-12-31"


def test_first_moment_is_a_day_too_where_it_is_still_yesterday() -> None:
    assert Calendar(ZoneInfo("Pacific/Honolulu")).day_of(0) == -1


def test_store_is_closed_on_weekdays_and_on_single_days() -> None:
    christmas = ms_of("2026-12-25T00:00:00+00:00") // DAY_MS
    calendar = Calendar(closed_weekdays=[6], closed_days=[christmas])

    opening = calendar.opening(christmas - 1, 4)

    assert weekday_of(christmas) == 4
    assert opening.tolist() == [True, False, True, False]
    assert UTC_DAYS.opening(christmas, 2).all()


@pytest.mark.parametrize("calendar", [UTC_DAYS, BERLIN], ids=["UTC", "Berlin"])
def test_days_of_many_moments_are_those_of_each(calendar: Calendar) -> None:
    at_ms = np.random.default_rng(3).integers(0, 4 * 365 * DAY_MS, 500)

    days = calendar.days_of(at_ms)

    assert days.tolist() == [calendar.day_of(moment) for moment in at_ms.tolist()]
    assert calendar.days_of(at_ms[:0]).tolist() == []
