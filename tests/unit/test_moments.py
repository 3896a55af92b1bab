from __future__ import annotations

import pytest

from stream.errors import Misconfigured
from stream.moments import moment, moment_ms
from tests.unit.builders import NOON_MS

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("90s", NOON_MS - 90_000),
        ("2h", NOON_MS - 2 * HOUR_MS),
        ("1w", NOON_MS - 7 * 24 * HOUR_MS),
        ("1970-01-02", 24 * HOUR_MS),
        ("1970-01-01T01:00:00.25", HOUR_MS + 250),
        ("1970-01-01T01:00+01:00", 0),
        ("1970-01-01T01:00Z", HOUR_MS),
    ],
)
def test_time_is_a_duration_ago_or_iso_8601_in_utc(text: str, expected_ms: int) -> None:
    assert moment_ms(text, NOON_MS, option="--since") == expected_ms


@pytest.mark.parametrize("text", ["", "h", "-2h", "2 h", "2y", "1e3s", "yesterday", "9999999w"])
def test_any_other_time_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(Misconfigured, match="--until: Expected ISO 8601"):
        moment_ms(text, NOON_MS, option="--until")


@pytest.mark.parametrize("at_ms", [10**19, -(10**19), 10**15])
def test_time_that_no_calendar_has_is_shown_as_a_number(at_ms: int) -> None:
    assert moment(at_ms) == f"{at_ms} ms"
