from __future__ import annotations

from stream.demo.catalogue import Catalogue
from stream.demo.household_orders import DAY_MS
from stream.demo.shelves import FIRST_DELIVERY_MS, Shelves
from stream.domain.events import Delivery, Item, OrderCompleted, StockLevelSet, StockOrdered
from tests.unit.demo.store import make_random


def make_order(product_id: str, quantity: int) -> OrderCompleted:
    return OrderCompleted(
        event_id="e",
        occurred_at_ms=5,
        visitor_id="v",
        order_id="o",
        products=(Item(product_id, quantity),),
    )


def test_store_opens_with_a_count_of_every_product(catalogue: Catalogue) -> None:
    levels = list(Shelves(catalogue, seed=1).levels(at_ms=9))

    assert {level.product_id for level in levels} == {str(each) for each in catalogue.products}
    assert all(level.simulated and level.on_hand > 0 for level in levels)
    assert all(level.lead_time_days for level in levels)


def test_demand_beyond_the_shelf_is_counted_as_nothing_left(catalogue: Catalogue) -> None:
    shelves = Shelves(catalogue, seed=1)
    opening = next(shelves.levels(0))

    closing = list(shelves.close(4, [make_order(opening.product_id, opening.on_hand + 3)]))

    assert [type(event) for event in closing] == [StockOrdered, StockLevelSet]
    order, count = closing
    assert isinstance(order, StockOrdered)
    assert isinstance(count, StockLevelSet)
    assert (count.on_hand, count.occurred_at_ms) == (0, 5 * DAY_MS - 1)
    # The count is of the same moment, so it knows of the order: it is on the way once.
    assert count.deliveries == (Delivery(order.quantity, order.expected_at_ms or 0),)


def test_what_runs_low_is_ordered_with_a_date(catalogue: Catalogue) -> None:
    shelves = Shelves(catalogue, seed=1)
    opening = next(shelves.levels(0))

    closing = list(shelves.close(4, [make_order(opening.product_id, opening.on_hand)]))

    [order] = closing
    assert isinstance(order, StockOrdered)
    due_ms = (4 + int(opening.lead_time_days or 0)) * DAY_MS + FIRST_DELIVERY_MS
    assert order.expected_at_ms == due_ms


def test_what_was_ordered_arrives_after_the_lead_time_and_once(catalogue: Catalogue) -> None:
    shelves = Shelves(catalogue, seed=1)
    opening = next(shelves.levels(0))
    list(shelves.close(4, [make_order(opening.product_id, opening.on_hand)]))
    due = 4 + int(opening.lead_time_days or 0)

    early = list(shelves.deliveries(due - 1, make_random(1)))
    arrived = list(shelves.deliveries(due, make_random(1)))
    again = list(shelves.deliveries(due + 1, make_random(1)))

    assert [event.product_id for event in arrived] == [opening.product_id]
    assert (early, again) == ([], [])


def test_unsold_day_changes_nothing(catalogue: Catalogue) -> None:
    assert list(Shelves(catalogue, seed=1).close(4, [])) == []


def test_rare_product_has_no_shelf(catalogue: Catalogue) -> None:
    assert list(Shelves(catalogue, seed=1).close(4, [make_order("rare", 3)])) == []
