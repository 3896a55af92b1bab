"""A visit: what a micro-batch must know of a visitor to answer, and for which records."""

from __future__ import annotations

from msgspec import Struct

from stream.domain.outputs import Cover
from stream.domain.sessions import Session
from stream.kafka.records import InRecord
from stream.ports import States

#: A topic, one of its partitions, and the topic's epoch.
Origin = tuple[str, int, int]


class Visit(Struct, frozen=True):
    """A visitor whose events are owed one answer.

    Attributes:
        states: Whose partition the events are of.
        session: As it was after the last of these events.
        records: The records owed an answer, in the order they were read.
        simulated: Whether one of the events was simulated.
    """

    states: States[Session]
    visitor_id: str
    session: Session
    records: tuple[tuple[Origin, InRecord], ...]
    simulated: bool

    def covers(self) -> tuple[Cover, ...]:
        """Return what one answer to all records covers, a range for each topic-partition."""
        if len(self.records) == 1:
            ((topic, partition, _), record) = self.records[0]
            return (Cover(topic, partition, record.offset, record.offset),)
        ranges: dict[Origin, tuple[int, int]] = {}
        for origin, record in self.records:
            first, last = ranges.get(origin, (record.offset, record.offset))
            ranges[origin] = (min(first, record.offset), max(last, record.offset))
        return tuple(
            Cover(topic, partition, first, last)
            for (topic, partition, _), (first, last) in sorted(ranges.items())
        )

    def epochs(self) -> tuple[int, ...]:
        """Return the epoch of the topic of each of :meth:`covers`."""
        if len(self.records) == 1:
            return (self.records[0][0][2],)
        return tuple(epoch for _, _, epoch in sorted({origin for origin, _ in self.records}))


def conflate(waiting: Visit, newer: Visit) -> Visit:
    """Return one visit for both: the newer session answers the older records as well."""
    return Visit(
        newer.states,
        newer.visitor_id,
        newer.session,
        (*waiting.records, *newer.records),
        waiting.simulated or newer.simulated,
    )
