from __future__ import annotations

from datetime import date, timedelta

import pytest

from stream.demo.browsing import browse, browse_only, order_of
from stream.demo.catalogue import Catalogue
from stream.demo.household_orders import DAY_MS, Purchases
from stream.domain.events import OrderCompleted, ProductAdded, ProductRemoved, ProductViewed
from tests.unit.demo.store import make_random


@pytest.fixture
def order(purchases: Purchases, catalogue: Catalogue, monday: date) -> OrderCompleted:
    baskets = purchases.between(monday, monday + timedelta(days=1)).baskets()
    return order_of(max(baskets, key=lambda basket: len(basket.lines)), catalogue)


def test_order_is_real_and_browsing_is_not(order: OrderCompleted, catalogue: Catalogue) -> None:
    acts = browse(order, catalogue, make_random(1))

    assert not order.simulated
    assert all(act.simulated for act in acts)


def test_every_bought_product_was_added_first(order: OrderCompleted, catalogue: Catalogue) -> None:
    acts = browse(order, catalogue, make_random(1))

    added = {act.product_id for act in acts if isinstance(act, ProductAdded)}
    assert {item.product_id for item in order.products} <= added


def test_what_was_not_bought_left_the_basket(order: OrderCompleted, catalogue: Catalogue) -> None:
    bought = {item.product_id for item in order.products}
    for seed in range(20):
        acts = browse(order, catalogue, make_random(seed))
        added = [act.product_id for act in acts if isinstance(act, ProductAdded)]
        removed = [act.product_id for act in acts if isinstance(act, ProductRemoved)]

        assert sorted(id_ for id_ in added if id_ not in bought) == sorted(removed)


def test_session_ends_with_its_order_on_the_same_day(
    order: OrderCompleted, catalogue: Catalogue
) -> None:
    times = [act.occurred_at_ms for act in browse(order, catalogue, make_random(1))]

    assert times == sorted(times)
    assert times[-1] < order.occurred_at_ms
    assert times[0] // DAY_MS == order.occurred_at_ms // DAY_MS


def test_basket_paid_just_after_midnight_keeps_its_day(
    order: OrderCompleted, catalogue: Catalogue
) -> None:
    early = order.occurred_at_ms // DAY_MS * DAY_MS + 500
    night = OrderCompleted(
        event_id="night",
        occurred_at_ms=early,
        visitor_id="household-1",
        order_id="night",
        products=order.products,
    )

    times = [act.occurred_at_ms for act in browse(night, catalogue, make_random(1))]

    assert all(early - 500 <= at <= early for at in times)


def test_same_seed_gives_the_same_session(order: OrderCompleted, catalogue: Catalogue) -> None:
    assert browse(order, catalogue, make_random(3)) == browse(order, catalogue, make_random(3))


def test_abandoned_session_views_and_orders_nothing(
    order: OrderCompleted, catalogue: Catalogue
) -> None:
    acts = browse_only(order, order.occurred_at_ms, catalogue, make_random(1))

    assert any(isinstance(act, ProductViewed) for act in acts)
    assert not any(isinstance(act, OrderCompleted) for act in acts)


def test_event_ids_of_a_session_differ(order: OrderCompleted, catalogue: Catalogue) -> None:
    both = [
        *browse(order, catalogue, make_random(1)),
        *browse_only(order, order.occurred_at_ms, catalogue, make_random(1)),
    ]

    assert len({act.event_id for act in both}) == len(both)
