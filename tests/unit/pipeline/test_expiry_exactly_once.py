"""State that is let go and the news of it are one transaction, however soon that comes."""

from __future__ import annotations

from stream.adapters.publishing import WithState
from stream.domain.calendar import DAY_MS
from stream.kafka.records import OutRecord
from stream.kafka.store import Form, StateStore
from stream.pipeline.event_clock import EventClock
from stream.pipeline.settling import Settling
from stream.pipeline.upkeep import Expiry
from stream.telemetry import Telemetry
from tests.unit.pipeline.fakes import settled

AS_IT_IS: Form[bytes] = Form(bytes, bytes)


async def test_tombstone_that_others_read_is_taken_with_that_of_the_state() -> None:
    """A worker that dies between them has forgotten the product, and nobody tells of it again."""
    clock, failures = EventClock(), list[BaseException]()
    clock.observe("levels", 0, DAY_MS)
    states = StateStore[bytes]("changelog", None, AS_IT_IS).open(0)
    states.restore(b"p1", b"old")
    expiry = Expiry[bytes](
        "products",
        lambda _value, _now_ms: True,
        clock,
        settling=Settling(WithState(), failures.append),
        telemetry=Telemetry(),
        also=lambda key: [OutRecord("product-state", 0, key, None)],
    )

    expiry.visit(states, [b"p1"])
    at_once = states.take()
    await settled()

    assert at_once == []
    assert [(record.topic, record.value) for record in states.take()] == [
        ("product-state", None),
        ("changelog", None),
    ]
