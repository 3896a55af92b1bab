from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import NamedTuple

import pytest
from rich.console import Console

from stream.codec import encode
from stream.demo.catalogue import Catalogue
from stream.demo.live import ORIGINS, Following, Rate, Screen
from stream.demo.sending import Replayed, Sender
from stream.domain.outputs import Cover, Recommendation, RecommendedItem
from stream.kafka.records import Headers, OutRecord
from stream.topics import EVENTS
from tests.unit.planning.alerts import make_alert


class Record(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Nobody:
    async def publish(self, records: Sequence[OutRecord]) -> None:
        raise AssertionError("nothing is published here")


@pytest.fixture
def sender() -> Sender:
    sender = Sender(Nobody())
    sender.sent_at_ms[EVENTS.name, 0].extend([1000.0, 1010.0])
    return sender


def make_answer(visitor_id: str = "household-1") -> Recommendation:
    return Recommendation(
        recommendation_id="r",
        visitor_id=visitor_id,
        covers=(Cover(EVENTS.name, 0, 0, 1),),
        items=(RecommendedItem(1, "25", 0.5, "model"),),
        strategy="session_transformer",
        model="recommender",
        model_version="1",
        degraded=False,
        created_at_ms=1,
        as_of_ms=1,
    )


def test_latency_counts_from_the_oldest_event_covered(sender: Sender) -> None:
    following = Following(sender)

    following.recommended([Record(0, 1040, b"v", encode(make_answer()))])

    assert list(following.latencies_ms) == [40]


def test_screen_shows_names_and_says_what_is_simulated(
    sender: Sender, catalogue: Catalogue
) -> None:
    following = Following(sender)
    following.recommended([Record(0, 1040, b"v", encode(make_answer()))])
    console = Console(width=140, record=True, file=StringIO())

    console.print(Screen(following, sender, Replayed(), catalogue))

    shown = console.export_text()
    assert catalogue.name(25) in shown
    assert "Simulated: browsing" in shown


def test_screen_counts_alerts_by_status_and_tells_the_last_of_any_kind(
    sender: Sender, catalogue: Catalogue
) -> None:
    following = Following(sender)
    alerts = [
        make_alert("tea"),
        make_alert("milk", status="snoozed"),
        make_alert("axe", "overstock", name="Axe\x1b[2J", explanation="90 too many."),
    ]
    console = Console(width=140, record=True, file=StringIO())

    following.alerted([Record(n, 1, b"k", encode(alert)) for n, alert in enumerate(alerts)])
    following.alerted([Record(9, 1, b"k", None)])
    console.print(Screen(following, sender, Replayed(), catalogue))

    shown = console.export_text()
    assert "alerts: 2 opened, 1 snoozed, 0 resolved" in shown
    assert r"overstock opened: Axe\x1b[2J: 90 too many." in shown


def test_origins_name_the_data_and_the_simulation() -> None:
    assert "Real" in ORIGINS
    assert "Simulated" in ORIGINS


def test_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    rate.per_s(0.0, 0)
    rate.per_s(10.0, 1000)

    assert rate.per_s(12.0, 1100) == 50.0
