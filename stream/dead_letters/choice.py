"""Which dead letters a command is about: by topic, reason and time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from stream.errors import Misconfigured
from stream.letters import Letter
from stream.topics import READ, dead_letter_name

_DURATION = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class Choice:
    """The letters meant; None takes all.

    Attributes:
        topic: Of the original.
        since_ms: When it was set aside, ms since the Unix epoch, included.
        until_ms: The same, not included.
    """

    topic: str | None = None
    reason: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def takes(self, letter: Letter) -> bool:
        """Whether *letter* is one of them."""
        return (
            (self.topic is None or letter.topic == self.topic)
            and (self.reason is None or letter.reason == self.reason)
            and (self.since_ms is None or letter.at_ms >= self.since_ms)
            and (self.until_ms is None or letter.at_ms < self.until_ms)
        )

    @property
    def topics(self) -> list[str]:
        """Names of the dead-letter topics to look into."""
        return [dead_letter_name(spec.name) for spec in READ if self.topic in {None, spec.name}]


def choice_of(
    *, topic: str | None, reason: str | None, since: str | None, until: str | None, now_ms: int
) -> Choice:
    """Read the options of the command line; a dead-letter topic stands for its source.

    Raises:
        Misconfigured: A topic that has no dead letters, a time that is none, or an empty span.
    """
    since_ms = None if since is None else moment_ms(since, now_ms, option="--since")
    until_ms = None if until is None else moment_ms(until, now_ms, option="--until")
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise Misconfigured(f"--since {since} is not before --until {until}: nothing lies between")
    return Choice(None if topic is None else _source_named(topic), reason, since_ms, until_ms)


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


def _source_named(topic: str) -> str:
    for spec in READ:
        if topic in {spec.name, dead_letter_name(spec.name)}:
            return spec.name
    known = ", ".join(spec.name for spec in READ)
    raise Misconfigured(f"--topic: Expected one of {known}, got {topic!r}")
