"""What no worker survives becomes a dead letter that says so, and an alarm."""

from __future__ import annotations

import pytest

from stream.errors import PublishFailed
from stream.kafka.notes import SetAside
from stream.pipeline.intake import Limits, Reader
from stream.pipeline.quarantine import Quarantine
from stream.telemetry import Telemetry
from stream.topics import EVENTS
from tests.unit.builders import Record
from tests.unit.pipeline.fakes import Log, Owned

VERDICT = SetAside(7, "Quarantined", n_crashes=3)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
def quarantine(log: Log, telemetry: Telemetry) -> Quarantine:
    limits = Limits(
        max_event_bytes=1_000, max_dead_letter_bytes=4_000, future_tolerance_ms=0, n_partitions=4
    )
    stores = {EVENTS.name: Owned(2)}
    return Quarantine(log, stores, Reader(telemetry, limits), telemetry=telemetry)


@pytest.mark.parametrize(
    ("verdict", "error"),
    [(VERDICT, "3 workers ended"), (SetAside(7, "Skipped"), "storestream skip")],
)
async def test_letter_has_the_bytes_the_place_and_why(
    quarantine: Quarantine, log: Log, verdict: SetAside, error: str
) -> None:
    await quarantine.set_aside(EVENTS.name, 2, Record(b"bytes", offset=7), verdict=verdict)

    [letter] = log.of("store.events.v1.dead-letter")
    headers = dict(letter.headers)
    assert (letter.partition, letter.value) == (2, b"bytes")
    assert headers["dl-reason"] == verdict.reason.encode()
    assert (headers["dl-partition"], headers["dl-offset"]) == (b"2", b"7")
    assert error.encode() in headers["dl-error"]


async def test_alarm_names_the_record_and_is_counted(
    quarantine: Quarantine, telemetry: Telemetry
) -> None:
    before = quarantine.alarm

    await quarantine.set_aside(EVENTS.name, 2, Record(b"bytes", offset=7), verdict=VERDICT)

    labels = {"topic": EVENTS.name, "reason": "Quarantined"}
    n_counted = telemetry.registry.get_sample_value("stream_quarantined_records_total", labels)
    assert before is None
    assert "store.events.v1[2]@7" in (quarantine.alarm or "")
    assert n_counted == 1


async def test_nothing_is_set_aside_before_its_letter_is_confirmed(
    quarantine: Quarantine, log: Log
) -> None:
    log.failure = PublishFailed("the broker is gone")

    with pytest.raises(PublishFailed):
        await quarantine.set_aside(EVENTS.name, 2, Record(b"bytes", offset=7), verdict=VERDICT)

    assert quarantine.alarm is None
