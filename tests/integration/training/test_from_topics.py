"""What a broker's topics hold is what is learnt from."""

from __future__ import annotations

import pytest

from stream.domain.events import Item, ProductAdded, RecommendationClicked
from stream.domain.trail import Kind
from stream.settings import Settings
from stream.topics import EVENTS
from stream.training.from_topics import LEARNT_FROM, read_topics
from tests.harness.events import raw, record_of
from tests.harness.store import Store
from tests.unit.builders import NOON_MS, make_order, make_view

pytestmark = pytest.mark.broker

CLICKED = RecommendationClicked(
    event_id="c",
    occurred_at_ms=NOON_MS + 7,
    visitor_id="bob",
    recommendation_id="r",
    product_id="jam",
)


async def test_acts_of_both_topics_are_read_in_order_of_time_and_once(store: Store) -> None:
    order = make_order(2, products=[Item("milk", 3), Item("eggs")])
    sent = [
        order,
        make_view(9, product_id="tea"),
        make_view(1, product_id="milk", kind=ProductAdded),
        CLICKED,
    ]
    broken = raw(EVENTS, b"{", key=b"ann")
    store.publish(*map(record_of, sent), *map(record_of, sent), broken)

    deeds, n_unreadable = await read_topics(
        Settings(bootstrap_servers=store.bootstrap), LEARNT_FROM["recommender"], since_ms=None
    )

    assert n_unreadable == 1
    assert deeds.histories() == [
        (
            ["milk", "milk", "eggs", "tea"],
            [NOON_MS + 1, NOON_MS + 2, NOON_MS + 2, NOON_MS + 9],
            [Kind.ADD, Kind.PURCHASE, Kind.PURCHASE, Kind.VIEW],
        ),
        (["jam"], [NOON_MS + 7], [Kind.CLICK]),
    ]
    assert deeds.quantities[deeds.kinds == Kind.PURCHASE].tolist() == [3, 1]
