from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stream.settings import Settings
from stream.store_days import StoreDays

CHRISTMAS = 20_447  # 2025, a Thursday


def test_days_closed_are_read_from_text() -> None:
    settings = Settings(closed_weekdays="Sat, sun", closed_dates="2025-12-26 ,2025-12-25")

    calendar = settings.days.calendar()

    is_open = calendar.opening(CHRISTMAS - 1, 6)
    assert is_open.tolist() == [True, False, False, False, False, True]


def test_a_store_is_open_each_day_unless_told() -> None:
    assert Settings().days == StoreDays()
    assert StoreDays().calendar().opening(CHRISTMAS, 28).all()


def test_a_day_begins_where_the_store_is() -> None:
    late_ms = int(datetime(2025, 12, 24, 23, 30, tzinfo=UTC).timestamp() * 1000)

    days = [StoreDays(zone).calendar().day_of(late_ms) for zone in ("UTC", "Europe/Berlin")]

    assert days == [CHRISTMAS - 1, CHRISTMAS]


@pytest.mark.parametrize("name", ["Mars/Olympus", "../etc/passwd", "Europe", ""])
def test_a_zone_that_is_none_is_no_zone(name: str) -> None:
    assert not StoreDays(name).has_zone


@pytest.mark.parametrize(
    ("weekdays", "dates"),
    [
        ("mon,tue,wed,thu,fri,sat,sun", ""),
        ("someday", ""),
        ("", "25.12.2025"),
    ],
)
def test_a_store_without_an_open_weekday_or_with_other_days_is_none(
    weekdays: str, dates: str
) -> None:
    assert not StoreDays("UTC", weekdays, dates).has_open_days
