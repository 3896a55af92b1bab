"""What a broker's topics hold says what was wanted on which day."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from stream.domain.events import (
    Item,
    OrderCancelled,
    OrderRefunded,
    StockEvent,
    StockReceived,
    VisitorEvent,
)
from stream.settings import Settings
from stream.training.demand import demand_of
from stream.training.from_topics import LEARNT_FROM, read_topics
from tests.harness.events import record_of
from tests.harness.store import Store
from tests.unit.builders import NOON_MS, make_level, make_order, make_view

pytestmark = pytest.mark.broker

HOUR_MS = 3_600_000
FRIDAY = 4


def at(day: int, hour: int) -> int:
    """Day 0 is a Thursday, hours are UTC."""
    return NOON_MS + (24 * day + hour - 12) * HOUR_MS


async def test_days_are_the_stores_own_less_what_was_cancelled_without_what_was_sold_out(
    store: Store,
) -> None:
    daily = [
        make_order(day, products=[Item("milk", units)], occurred_at_ms=at(day, 23))
        for day, units in enumerate([4, 4, 1, 0, 4, 4])
        if units
    ]
    undone = make_order(50, kind=OrderCancelled, occurred_at_ms=at(5, 1))
    back = make_order(51, kind=OrderRefunded, occurred_at_ms=at(5, 2))
    shelf = make_level(9, occurred_at_ms=at(0, 9), as_of_ms=at(0, 1))
    delivery = StockReceived(event_id="r", occurred_at_ms=at(4, 22), product_id="milk", quantity=20)
    undone = replace(undone, ordered_at_ms=at(1, 23))
    sent: list[VisitorEvent | StockEvent] = [delivery, back, undone, *daily, shelf]
    store.publish(*map(record_of, sent), *map(record_of, sent), record_of(make_view()))
    settings = Settings(
        bootstrap_servers=store.bootstrap,
        store_timezone="Europe/Berlin",
        closed_weekdays="wed",
    )

    deeds, n_unreadable = await read_topics(settings, LEARNT_FROM["forecaster"], since_ms=None)
    past = demand_of(deeds, 1, settings.days.calendar())

    # At 23:00 UTC it is the next day in Berlin: the last of nine went on Sunday, at one.
    assert n_unreadable == 0
    assert past.first_phase == FRIDAY
    assert past.units.tolist() == [[4, 3, -1, -1, 4, 4]]
    assert past.is_open.tolist() == [True, True, True, True, True, False]
