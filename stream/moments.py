"""Times as a person writes them on the command line, and as one reads them there."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from stream.errors import Misconfigured

_DURATION = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment_ms(text: str, now_ms: int, *, option: str) -> int:
    """Return the time that *text* names, in ms since the Unix epoch.

    ``2h`` is two hours ago (s, m, h, d, w); anything else is ISO 8601, in UTC where it names no zone.

    Raises:
        Misconfigured: It is neither.
    """
    if ago := _DURATION.fullmatch(text):
        span = timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return now_ms - span // timedelta(milliseconds=1)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Misconfigured(
            f"{option}: Expected ISO 8601 (2026-01-31T12:00) or a duration (2h), got {text!r}"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def moment(at_ms: int, timespec: str = "milliseconds") -> str:
    """Return a time in UTC, or the number where no calendar has it."""
    try:
        told = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec=timespec)
    except (OverflowError, ValueError, OSError):
        return f"{at_ms} ms"
    return told.replace("+00:00", "Z")
