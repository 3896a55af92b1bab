"""The store's days as settings say them, and the calendar that they come to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from stream.domain.calendar import Calendar

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FIRST_DAY = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class StoreDays:
    """When a day begins where the store is, and on which it is closed, as a person writes it.

    Attributes:
        timezone: Name in the IANA database.
        closed_weekdays: ``mon`` to ``sun``, comma-separated.
        closed_dates: ISO 8601, comma-separated.
    """

    timezone: str = "UTC"
    closed_weekdays: str = ""
    closed_dates: str = ""

    @property
    def has_zone(self) -> bool:
        """Whether there is such a time zone."""
        try:
            ZoneInfo(self.timezone)
        except (ValueError, OSError, ZoneInfoNotFoundError):
            return False
        return True

    @property
    def has_open_days(self) -> bool:
        """Whether what is closed are weekdays and dates, and one weekday at least is not."""
        named = {name.lower() for name in _listed_in(self.closed_weekdays)}
        return named < set(_WEEKDAYS) and all(map(_is_date, _listed_in(self.closed_dates)))

    def calendar(self) -> Calendar:
        """Return these days as numbers; reading a time zone opens files, so not at import."""
        from stream.domain.calendar import Calendar  # noqa: PLC0415 - numpy, which help does without

        closed = map(date.fromisoformat, _listed_in(self.closed_dates))
        return Calendar(
            UTC if self.timezone == "UTC" else ZoneInfo(self.timezone),
            closed_weekdays=[
                _WEEKDAYS.index(name.lower()) for name in _listed_in(self.closed_weekdays)
            ],
            closed_days=[(day - _FIRST_DAY).days for day in closed],
        )


def _listed_in(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
