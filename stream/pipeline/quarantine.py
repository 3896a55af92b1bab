"""A record that workers do not survive becomes a dead letter, and somebody is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from stream.errors import InvalidInput, Quarantined, Skipped
from stream.kafka.notes import SetAside
from stream.kafka.records import InRecord
from stream.pipeline.intake import Reader
from stream.ports import OwnedStates, Publisher
from stream.telemetry import Telemetry
from stream.topics import dead_letter_name

log = structlog.get_logger(__name__)


class Quarantine:
    """Publishes the dead letters of records that nobody is to process, and remembers the last."""

    def __init__(
        self,
        publisher: Publisher,
        stores: Mapping[str, OwnedStates[Any]],
        reader: Reader,
        *,
        telemetry: Telemetry,
    ) -> None:
        """Publish by *publisher*; *stores* are where the records of each topic leave their state."""
        self._publisher = publisher
        self._stores = stores
        self._reader = reader
        self._telemetry = telemetry
        self._n_records = 0
        self._last = ""

    @property
    def alarm(self) -> str | None:
        """One sentence for whoever is on call, None while this worker set nothing aside."""
        if not self._n_records:
            return None
        return f"{self._n_records} records were set aside, the last is {self._last}"

    async def set_aside(
        self, topic: str, partition: int, record: InRecord, *, verdict: SetAside
    ) -> None:
        """Return when the dead letter of *record* is confirmed.

        Raises:
            PartitionRevoked: The partition is no longer ours.
            PublishFailed: It is not; the record is read again.
        """
        error = _error_of(verdict)
        letter = self._reader.dead_letter(topic, partition, record, error)
        await self._publisher.publish({self._stores[topic][partition]: [letter]})
        self._n_records += 1
        self._last = f"{topic}[{partition}]@{record.offset}"
        self._telemetry.quarantined.labels(topic, verdict.reason).inc()
        log.error(
            "record_set_aside",
            topic=topic,
            partition=partition,
            offset=record.offset,
            reason=verdict.reason,
            crashes=verdict.n_crashes,
            dead_letter_topic=dead_letter_name(topic),
        )


def _error_of(verdict: SetAside) -> InvalidInput:
    if verdict.reason == "Skipped":
        return Skipped("set aside by hand: storestream skip")
    return Quarantined(
        f"{verdict.n_crashes} workers ended with this record in flight, the last one with no other"
    )
