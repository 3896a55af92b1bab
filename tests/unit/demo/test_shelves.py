from __future__ import annotations

from stream.demo.catalogue import Catalogue
from stream.demo.household_orders import DAY_MS
from stream.demo.shelves import Shelves
from stream.domain.events import Item, OrderCompleted, StockLevelSet
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

    assert [type(event) for event in closing] == [StockLevelSet]
    count = closing[0]
    assert isinstance(count, StockLevelSet)
    assert (count.on_hand, count.occurred_at_ms) == (0, 5 * DAY_MS - 1)
    assert count.inbound > 0


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
