"""From a record batch to events: what can be read is read, the rest becomes dead letters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

import structlog

from stream.codec import UNREADABLE, Reading, dead_letter, not_after
from stream.domain.events import StockEvent, StockMovement, VisitorEvent
from stream.errors import InvalidEvent, InvalidInput
from stream.kafka.partitioning import partition_of
from stream.kafka.records import InRecord, OutRecord, RecordBatch
from stream.pipeline.repeats import Repeats
from stream.telemetry import Telemetry
from stream.topics import dead_letter_name

Event = TypeVar("Event", bound=VisitorEvent | StockEvent | StockMovement)

log = structlog.get_logger(__name__)

#: Longest key whose partition is asked for: 128 characters of four bytes, the longest id there is.
MAX_KEY_BYTES = 512


@dataclass(frozen=True, slots=True)
class Intake(Generic[Event]):
    """What a record batch brought.

    Attributes:
        events: By whom they are about, a visitor or a product: each record with its event, in
            offset order.
        dead: The dead letters of the others.
    """

    events: dict[str, list[tuple[InRecord, Event]]]
    dead: list[OutRecord]

    @property
    def latest_ms(self) -> int:
        """Time of the latest event, 0 without any."""
        times = [event.occurred_at_ms for facts in self.events.values() for _, event in facts]
        return max(times, default=0)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken in as it is.

    Attributes:
        max_event_bytes: A longer record is a dead letter.
        max_dead_letter_bytes: Original bytes that a dead letter keeps at most.
        future_tolerance_ms: How far an event may be ahead of its append before its time is cut.
        n_partitions: Of the topics read; what a key's partition is checked against.
        max_redelivered: Records of a partition that come again at most when a worker dies.
    """

    max_event_bytes: int
    max_dead_letter_bytes: int
    future_tolerance_ms: int
    n_partitions: int
    max_redelivered: int = 16_000


class Reader:
    """Reads record batches, and makes dead letters of what cannot be used.

    Attributes:
        repeats: Hears of the records that turned out to be folded before.
    """

    def __init__(self, telemetry: Telemetry, limits: Limits) -> None:
        self._telemetry = telemetry
        self._limits = limits
        self.repeats = Repeats(telemetry, max_redelivered=limits.max_redelivered)

    def take_in(self, batch: RecordBatch, reading: Reading[Event]) -> Intake[Event]:
        """Decode every record of *batch* once."""
        events: dict[str, list[tuple[InRecord, Event]]] = {}
        refused: list[tuple[InRecord, InvalidEvent]] = []
        decode, about, max_bytes = reading.decode, reading.about, self._limits.max_event_bytes
        topic, partition, ahead_ms = batch.topic, batch.partition, self._limits.future_tolerance_ms
        for record in batch.records:
            value = record.value
            if value is None or len(value) > max_bytes:
                reason = reading.refusal(record, topic, partition, max_bytes=max_bytes)
                refused.append((record, reason))
                continue
            try:
                event = decode(value)
            except UNREADABLE as error:
                refused.append((record, reading.refusal(record, topic, partition, error=error)))
                continue
            fact = record, not_after(event, record.timestamp + ahead_ms)
            subject = about(event)
            if subject in events:
                events[subject].append(fact)
            else:
                events[subject] = [fact]
        dead = [self.dead_letter(topic, partition, *each) for each in refused]
        self._count(batch, events, Counter(type(error).__name__ for _, error in refused))
        return Intake(events, dead)

    def dead_letter(
        self, topic: str, partition: int, record: InRecord, error: InvalidInput
    ) -> OutRecord:
        """Return the dead letter of *record*: original bytes, reason, source; same partition."""
        key, value, headers = dead_letter(
            record, topic, partition, error, max_bytes=self._limits.max_dead_letter_bytes
        )
        return OutRecord(dead_letter_name(topic), partition, key, value, headers)

    def _count(
        self,
        batch: RecordBatch,
        events: Mapping[str, list[tuple[InRecord, Event]]],
        reasons: Counter[str],
    ) -> None:
        topic, telemetry = batch.topic, self._telemetry
        telemetry.records_read.labels(topic).inc(len(batch.records))
        for reason, n_records in reasons.items():
            telemetry.records_rejected.labels(topic, reason).inc(n_records)
        n_keys, n_partitions = self._astray(batch.partition, events)
        for kind, n_records in (("key", n_keys), ("partition", n_partitions)):
            if n_records:
                telemetry.key_mismatches.labels(topic, kind).inc(n_records)
        if reasons or n_keys or n_partitions:
            log.warning(
                "records_faulty",
                topic=topic,
                partition=batch.partition,
                first_offset=batch.first_offset,
                last_offset=batch.last_offset,
                rejected=dict(reasons),
                wrong_keys=n_keys,
                wrong_partitions=n_partitions,
            )

    def _astray(
        self, partition: int, events: Mapping[str, list[tuple[InRecord, Event]]]
    ) -> tuple[int, int]:
        """Count the records whose key is not whom they are about, and those in a wrong partition.

        Events of one visitor then spread over partitions and workers. They are folded all the same,
        for they are facts.
        """
        n_keys = n_partitions = 0
        for subject, facts in events.items():
            key = subject.encode()
            is_misplaced = self._is_misplaced(partition, key)
            for record, _ in facts:
                if record.key == key:
                    n_partitions += is_misplaced
                else:
                    n_keys += 1
                    n_partitions += self._is_misplaced(partition, record.key)
        return n_keys, n_partitions

    def _is_misplaced(self, partition: int, key: bytes | None) -> bool:
        """Whether *key* belongs elsewhere; nobody has a longer one than an id, nor is it hashed.

        Hashing is Python, a tenth of a second for a megabyte, and the keys hashed are remembered.
        """
        if key is None or len(key) > MAX_KEY_BYTES:
            return False
        return partition_for(key, self._limits.n_partitions) != partition


@lru_cache(maxsize=262_144)
def partition_for(key: bytes, n_partitions: int) -> int:
    """:func:`partition_of`, remembered for the keys that come back."""
    return partition_of(key, n_partitions)
