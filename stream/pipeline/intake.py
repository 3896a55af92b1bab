"""From a record batch to events: what can be read is read, the rest becomes dead letters."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

import structlog

from stream.codec import dead_letter, has_own_key, not_after
from stream.domain.events import StockEvent, StockMovement, VisitorEvent
from stream.errors import InvalidInput
from stream.kafka.partitioning import partition_of
from stream.kafka.records import InRecord, OutRecord, RecordBatch
from stream.telemetry import Telemetry
from stream.topics import dead_letter_name

Event = TypeVar("Event", bound=VisitorEvent | StockEvent | StockMovement)
Decoded_co = TypeVar("Decoded_co", covariant=True)

log = structlog.get_logger(__name__)


class Decode(Protocol[Decoded_co]):
    """Turns one record of a topic into its event; raises InvalidInput."""

    def __call__(
        self, record: InRecord, topic: str, partition: int, *, max_bytes: int
    ) -> Decoded_co: ...


@dataclass(frozen=True, slots=True)
class Intake(Generic[Event]):
    """The events of a record batch in offset order, and the dead letters of the others."""

    events: list[tuple[InRecord, Event]]
    dead: list[OutRecord]


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken in as it is.

    Attributes:
        max_event_bytes: A longer record is a dead letter.
        max_dead_letter_bytes: Original bytes that a dead letter keeps at most.
        future_tolerance_ms: How far an event may be ahead of its append before its time is cut.
        n_partitions: Of the topics read; what a key's partition is checked against.
    """

    max_event_bytes: int
    max_dead_letter_bytes: int
    future_tolerance_ms: int
    n_partitions: int


class Reader:
    """Reads record batches, and makes dead letters of what cannot be used."""

    def __init__(self, telemetry: Telemetry, limits: Limits) -> None:
        self._telemetry = telemetry
        self._limits = limits

    def take_in(self, batch: RecordBatch, decode: Decode[Event]) -> Intake[Event]:
        """Decode every record of *batch* once."""
        events: list[tuple[InRecord, Event]] = []
        dead: list[OutRecord] = []
        reasons: Counter[str] = Counter()
        topic, partition = batch.topic, batch.partition
        max_bytes, tolerance_ms = self._limits.max_event_bytes, self._limits.future_tolerance_ms
        for record in batch.records:
            try:
                event = decode(record, topic, partition, max_bytes=max_bytes)
            except InvalidInput as error:
                reasons[type(error).__name__] += 1
                dead.append(self.dead_letter(topic, partition, record, error))
            else:
                events.append((record, not_after(event, record.timestamp + tolerance_ms)))
        self._count(batch, events, reasons)
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
        self, batch: RecordBatch, events: list[tuple[InRecord, Event]], reasons: Counter[str]
    ) -> None:
        topic, telemetry = batch.topic, self._telemetry
        telemetry.records_read.labels(topic).inc(len(batch.records))
        for reason, n_records in reasons.items():
            telemetry.records_rejected.labels(topic, reason).inc(n_records)
        n_keys = sum(not has_own_key(record, event) for record, event in events)
        n_partitions = sum(self._is_misplaced(batch.partition, record) for record, _ in events)
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

    def _is_misplaced(self, partition: int, record: InRecord) -> bool:
        key = record.key
        return key is not None and partition_for(key, self._limits.n_partitions) != partition


@lru_cache(maxsize=262_144)
def partition_for(key: bytes, n_partitions: int) -> int:
    """:func:`partition_of`, remembered for the keys that come back."""
    return partition_of(key, n_partitions)
