"""Which recommendations a report is about, and of which visitors."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from stream.errors import Misconfigured
from stream.moments import moment_ms

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Period:
    """When what counts was shown; times in ms since the Unix epoch, None without a limit.

    Attributes:
        until_ms: Not included. Clicks and purchases may be later.
        window_ms: How long after it was shown a purchase is one of the recommendation.
    """

    window_ms: int
    since_ms: int | None = None
    until_ms: int | None = None

    def has_begun(self, at_ms: int) -> bool:
        """Whether *at_ms* is not before the period."""
        return self.since_ms is None or at_ms >= self.since_ms

    def holds(self, at_ms: int) -> bool:
        """Whether *at_ms* is within the period."""
        return self.has_begun(at_ms) and (self.until_ms is None or at_ms < self.until_ms)


class Span(NamedTuple):
    """A stretch of time, ms since the Unix epoch; its end is not included, as that of a period."""

    since_ms: int
    until_ms: int

    def holds(self, at_ms: int) -> bool:
        """Whether *at_ms* is within it."""
        return self.since_ms <= at_ms < self.until_ms

    def common(self, other: Span) -> Span | None:
        """Return what is within both; None where that is nothing."""
        both = Span(max(self.since_ms, other.since_ms), min(self.until_ms, other.until_ms))
        return both if both.since_ms < both.until_ms else None


def period_of(since: str | None, until: str | None, *, window_hours: float, now_ms: int) -> Period:
    """Read the options of the command line.

    Raises:
        Misconfigured: A time that is none, or an empty period.
    """
    since_ms = None if since is None else moment_ms(since, now_ms, option="--since")
    until_ms = None if until is None else moment_ms(until, now_ms, option="--until")
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise Misconfigured(f"--since {since} is not before --until {until}: nothing lies between")
    return Period(int(window_hours * HOUR_MS), since_ms, until_ms)


class Sample:
    """The visitors looked at: all, or one of 2, 4, 8 and so on, chosen by a hash of their id.

    Memory is bounded so: where more would be held than may be, half of the visitors are left out,
    with all of what they did, so that the rates of the others stay true and their intervals honest.
    Gibbons (2001), "Distinct sampling for highly-accurate answers to distinct values queries and
    event reports", VLDB: the same doubling, over what an event is about.
    """

    def __init__(self, max_held: int) -> None:
        """Take all visitors, as long as no more than *max_held* things are held of them."""
        self.max_held = max_held
        self.one_in = 1

    def takes(self, visitor_id: str) -> bool:
        """Whether *visitor_id* is looked at."""
        if self.one_in == 1:
            return True
        # Salted: assignments are hashes of the same ids, and no variant may be left out with them.
        digest = blake2b(visitor_id.encode(), digest_size=8, salt=b"report").digest()
        return int.from_bytes(digest, "big") % self.one_in == 0

    def halve(self) -> None:
        """Leave out half of the visitors that were taken."""
        self.one_in *= 2
