"""Event time: the latest that was heard of. A replay of last year has last year's time."""

from __future__ import annotations

from stream.domain.demand import day_of


class EventClock:
    """The latest event time over all partitions of this worker; 0 until an event was seen."""

    def __init__(self) -> None:
        self.now_ms = 0

    @property
    def today(self) -> int:
        """Days since the Unix epoch, UTC."""
        return day_of(self.now_ms)

    def observe(self, occurred_at_ms: int) -> None:
        """Take note of an event; an earlier one changes nothing."""
        self.now_ms = max(self.now_ms, occurred_at_ms)
