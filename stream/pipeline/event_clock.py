"""Event time: the latest that was heard of. A replay of last year has last year's time."""

from __future__ import annotations

from stream.domain.calendar import UTC_DAYS, Calendar


class EventClock:
    """The latest event time of each topic-partition that this worker reads.

    Attributes:
        calendar: The store's days.
    """

    def __init__(self, calendar: Calendar = UTC_DAYS) -> None:
        self.calendar = calendar
        self.now_ms = 0
        self._latest: dict[int, dict[str, int]] = {}

    @property
    def today(self) -> int:
        """Day of the latest event anywhere: days since the Unix epoch, where the store is."""
        return self.calendar.day_of(self.now_ms)

    def observe(self, topic: str, partition: int, occurred_at_ms: int) -> None:
        """Take note of an event; an earlier one changes nothing, 0 stands for none."""
        if not occurred_at_ms:
            return
        self.now_ms = max(self.now_ms, occurred_at_ms)
        by_topic = self._latest.setdefault(partition, {})
        by_topic[topic] = max(by_topic.get(topic, 0), occurred_at_ms)

    def settled_ms(self, partition: int) -> int:
        """Return the time that every topic of *partition* has reached; 0 before any event.

        What is old by it is old for the topic that lags most, as one does while a store's past is
        read: a clock that only the fastest moves would expire what is still being told.
        """
        return min(self._latest.get(partition, {}).values(), default=0)
