from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta, timezone

import numpy as np
import pytest
from msgspec.structs import replace

from stream.domain import positions as at
from stream.domain.applied import Source
from stream.domain.calendar import DAY_MS, Calendar
from stream.domain.events import (
    Delivery,
    StockAdjusted,
    StockLevelEvent,
    StockMovement,
    StockOrdered,
    StockReceived,
)
from stream.domain.position_folding import MAX_CHANGES, MAX_LOCATIONS, drift_of
from stream.domain.positions import UNDATED
from stream.domain.product_folding import (
    MAX_BOUGHT_WITH,
    apply_level,
    apply_movement,
    is_repeat,
)
from stream.domain.products import (
    Product,
    available,
    demand_window,
    inbound,
    is_sold_out,
    observed,
    on_hand,
    past_demand,
    product_state,
    sold_out_days,
    units_sold,
)
from stream.domain.products import deliveries as deliveries_of
from stream.model_specs import HISTORY_DAYS, PAST_DAYS
from tests.unit.builders import (
    NOON_MS,
    TODAY,
    levels_at,
    make_level,
    make_movement,
)

Fact = StockMovement | tuple[StockLevelEvent, Source]


def fold(facts: Sequence[Fact], product: Product | None = None) -> Product:
    product = product or Product("milk")
    for fact in facts:
        if isinstance(fact, StockMovement):
            product = apply_movement(product, fact)
        else:
            product = apply_level(product, *fact)
    return product


def received(offset: int, units: int, *, at_ms: int = NOON_MS + 5) -> Fact:
    event = StockReceived(
        event_id=f"receipt-{offset}", occurred_at_ms=at_ms, product_id="milk", quantity=units
    )
    return event, levels_at(offset)


# --- The shelf ---------------------------------------------------------------------------------


def test_shelf_is_the_count_and_what_happened_after_it() -> None:
    adjusted = StockAdjusted(
        event_id="a", occurred_at_ms=NOON_MS + 9, product_id="milk", difference=-3
    )

    product = fold(
        [
            (make_level(100), levels_at(0)),
            make_movement(units=-2),
            received(1, 20),
            (adjusted, levels_at(2)),
        ]
    )

    assert on_hand(product) == 100 - 2 + 20 - 3


def test_sale_before_the_count_is_in_the_count_but_in_the_demand_as_well() -> None:
    product = fold([(make_level(100), levels_at(0)), make_movement(occurred_at_ms=NOON_MS - 1)])

    assert on_hand(product) == 100
    assert units_sold(product, TODAY, TODAY) == 1


def test_sale_at_the_very_time_of_the_count_is_in_the_count() -> None:
    product = fold([(make_level(100), levels_at(0)), make_movement(occurred_at_ms=NOON_MS)])

    assert on_hand(product) == 100


def test_sale_heard_of_before_the_count_is_kept_when_it_is_later() -> None:
    product = fold([make_movement(units=-2), (make_level(100), levels_at(0))])

    assert on_hand(product) == 98


def test_count_that_comes_late_changes_nothing() -> None:
    product = fold(
        [
            (make_level(100, event_id="new"), levels_at(0)),
            (make_level(7, event_id="old", as_of_ms=NOON_MS - 1), levels_at(1)),
        ]
    )

    assert on_hand(product) == 100


def test_of_two_counts_of_one_time_the_later_record_counts() -> None:
    product = fold(
        [
            (make_level(100, event_id="a"), levels_at(0)),
            (make_level(90, event_id="b"), levels_at(1)),
        ]
    )

    assert on_hand(product) == 90


def test_uncounted_product_is_never_sold_out() -> None:
    product = fold([make_movement(units=-5)])

    assert not is_sold_out(product)
    assert product_state(product, NOON_MS).on_hand is None


@pytest.mark.parametrize(("units", "sold_out"), [(-9, False), (-10, True), (-11, True)])
def test_shelf_is_sold_out_at_nothing_and_below(units: int, sold_out: bool) -> None:
    product = fold([(make_level(10), levels_at(0)), make_movement(units=units)])

    assert is_sold_out(product) is sold_out


def test_units_set_aside_cannot_be_sold() -> None:
    product = fold([(make_level(10, reserved=10), levels_at(0))])

    assert on_hand(product) == 10
    assert available(product) == 0
    assert is_sold_out(product)


def test_received_units_are_no_longer_on_the_way() -> None:
    product = fold(
        [
            received(0, 9, at_ms=NOON_MS - 1),
            received(1, 20),
            (make_level(10, inbound=50), levels_at(2)),
            received(3, 10),
        ]
    )

    assert inbound(product) == 50 - 20 - 10


def test_more_received_than_expected_leaves_nothing_on_the_way() -> None:
    product = fold([(make_level(10, inbound=5), levels_at(0)), received(1, 20)])

    assert inbound(product) == 0
    assert on_hand(product) == 30


def test_changes_are_bounded_and_their_sum_is_kept() -> None:
    sales = [make_movement(i) for i in range(MAX_CHANGES + 40)]

    product = fold([(make_level(1000), levels_at(0)), *sales])

    assert len(product.positions[0].changes) <= MAX_CHANGES
    assert on_hand(product) == 1000 - len(sales)


# --- Locations ---------------------------------------------------------------------------------


def test_positions_of_locations_add_up() -> None:
    product = fold(
        [
            level_at("Graz", 30, reserved=2, inbound=5),
            level_at("Wien", 12, inbound=7),
            sale_at("Wien", 4),
        ]
    )

    assert [(each.location, at.on_hand(each)) for each in product.positions] == [
        ("Graz", 30),
        ("Wien", 8),
    ]
    assert (on_hand(product), available(product), inbound(product)) == (38, 36, 12)


def test_sale_that_names_no_location_counts_until_a_shelf_is_counted_again() -> None:
    """The store that sends no location with its orders sends a level after each of them."""
    before = fold([level_at("Graz", 30), level_at("Wien", 12), make_movement(0, units=-3)])

    after = fold([level_at("Graz", 27, at_ms=NOON_MS + 5, offset=9)], before)

    assert (on_hand(before), on_hand(after)) == (39, 39)


def test_count_without_a_location_knows_of_sales_that_name_one() -> None:
    product = fold([(make_level(30), levels_at(0)), sale_at("Graz", 4)])

    assert on_hand(product) == 26


def test_only_so_many_locations_are_remembered_the_last_heard_of() -> None:
    shelves = [level_at(f"L{n}", 1, at_ms=NOON_MS + n, offset=n) for n in range(MAX_LOCATIONS + 3)]

    product = fold(shelves)

    assert len(product.positions) == MAX_LOCATIONS
    assert "L0" not in {each.location for each in product.positions}
    assert f"L{MAX_LOCATIONS + 2}" in {each.location for each in product.positions}


def test_released_units_can_be_sold_again() -> None:
    released = StockAdjusted(
        event_id="r",
        occurred_at_ms=NOON_MS + 1,
        product_id="milk",
        difference=0,
        reserved_difference=-4,
    )

    product = fold([(make_level(10, reserved=6), levels_at(0)), (released, levels_at(1))])

    assert (on_hand(product), available(product)) == (10, 8)


def level_at(
    location: str,
    units: int,
    *,
    reserved: int = 0,
    inbound: int = 0,
    at_ms: int = NOON_MS,
    offset: int | None = None,
) -> Fact:
    offset = len(location) + units if offset is None else offset
    event = make_level(
        units,
        event_id=f"{location}-{offset}",
        occurred_at_ms=at_ms,
        reserved=reserved,
        inbound=inbound,
    )
    return replace(event, location=location), levels_at(
        offset, partition=sum(location.encode()) % 97
    )


def sale_at(location: str, units: int) -> Fact:
    return replace(make_movement(0, units=-units), location=location)


# --- On the way --------------------------------------------------------------------------------


def test_deliveries_come_in_the_order_they_are_due_and_undated_ones_last() -> None:
    level = replace(make_level(0, inbound=30), deliveries=(Delivery(10, 900), Delivery(5, 300)))

    product = fold([(level, levels_at(0)), ordered(1, 8, due_ms=600)])

    assert deliveries_of(product) == [(300, 5), (600, 8), (900, 10), (UNDATED, 15)]


def test_what_is_received_is_what_was_due_first() -> None:
    level = replace(make_level(0), deliveries=(Delivery(10, 900), Delivery(5, 300)))

    product = fold([(level, levels_at(0)), received(1, 7)])

    assert deliveries_of(product) == [(900, 8)]
    assert inbound(product) == 8


def test_order_that_the_count_knows_of_is_in_what_it_says_is_on_the_way() -> None:
    product = fold(
        [
            ordered(0, 8, at_ms=NOON_MS - 9),
            (make_level(0, inbound=8), levels_at(1)),
            ordered(2, 4, at_ms=NOON_MS + 9),
        ]
    )

    assert inbound(product) == 12


def ordered(
    offset: int, units: int, *, due_ms: int | None = None, at_ms: int = NOON_MS + 2
) -> Fact:
    event = StockOrdered(
        event_id=f"order-{offset}",
        occurred_at_ms=at_ms,
        product_id="milk",
        quantity=units,
        expected_at_ms=due_ms,
    )
    return event, levels_at(offset)


# --- Drift -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("counted", "drift"), [(98, 0), (95, -3), (99, 1)])
def test_drift_is_the_count_less_what_was_expected(counted: int, drift: int) -> None:
    product = fold([(make_level(100), levels_at(0)), make_movement(0, units=-2)])
    count = make_level(counted, event_id="c", as_of_ms=NOON_MS + 50)

    assert drift_of(product.positions, count, levels_at(1)) == drift


def test_first_count_drifts_from_nothing() -> None:
    product = fold([make_movement(0, units=-2)])

    assert drift_of(product.positions, make_level(9), levels_at(0)) is None


def test_late_count_says_nothing_of_drift() -> None:
    product = fold([(make_level(100), levels_at(0))])
    late = make_level(7, event_id="late", as_of_ms=NOON_MS - 1)

    assert drift_of(product.positions, late, levels_at(1)) is None


def test_sale_that_names_no_location_is_expected_where_the_count_is() -> None:
    count = replace(make_level(27, event_id="c", as_of_ms=NOON_MS + 5), location="Graz")
    alone = fold([level_at("Graz", 30), make_movement(0, units=-3)])
    one_of_two = fold([level_at("Graz", 30), level_at("Wien", 12), make_movement(0, units=-3)])

    assert drift_of(alone.positions, count, levels_at(99)) == 0
    assert drift_of(one_of_two.positions, count, levels_at(99)) is None  # it may be the other one


# --- Repeats -----------------------------------------------------------------------------------


def test_republished_movement_changes_nothing() -> None:
    once = fold([make_movement(3, line=1)])

    again = apply_movement(once, make_movement(3, line=1))

    assert again is once
    assert is_repeat(once, make_movement(3, line=0))


def test_lines_of_one_order_all_count() -> None:
    product = fold([make_movement(3, line=0), make_movement(3, line=4)])

    assert units_sold(product, TODAY, TODAY) == 2


def test_origin_partitions_and_epochs_are_counted_apart() -> None:
    product = fold(
        [
            make_movement(3, partition=0),
            make_movement(3, partition=1),
            make_movement(0, partition=0, epoch=2),
        ]
    )

    assert units_sold(product, TODAY, TODAY) == 3


def test_movements_redelivered_over_a_re_creation_of_their_topic_change_nothing() -> None:
    movements = [
        make_movement(8, epoch=7),
        make_movement(9, epoch=7),
        make_movement(0, epoch=3),
        make_movement(0, partition=1, epoch=3),
    ]
    once = fold(movements)

    again = fold(movements, once)

    assert again is once
    assert on_hand(once) == -4


def test_only_the_last_epochs_of_an_origin_are_remembered() -> None:
    product = fold([make_movement(5, epoch=epoch) for epoch in (9, 4, 6)])

    assert [mark.epoch for mark in product.origins] == [4, 6]


def test_redelivered_receipt_is_counted_once() -> None:
    once = fold([(make_level(10), levels_at(0)), received(1, 20)])

    again = fold([received(1, 20)], once)

    assert again is once
    assert on_hand(again) == 30


def test_resent_receipt_is_counted_once() -> None:
    event, _ = received(1, 20)  # type: ignore[misc]

    product = fold([(make_level(10), levels_at(0)), (event, levels_at(1)), (event, levels_at(2))])

    assert on_hand(product) == 30


# --- Demand ------------------------------------------------------------------------------------


def test_days_before_the_product_was_known_are_not_days_without_demand() -> None:
    product = fold([make_movement(0, units=-4, occurred_at_ms=NOON_MS - 2 * DAY_MS)])

    window = demand_window(product, TODAY)

    assert window.dtype == np.float32
    assert window.shape == (HISTORY_DAYS,)
    assert window[-4:].tolist() == [-1, 4, 0, 2]  # today is not over yet


def test_unknown_product_has_no_known_day() -> None:
    assert (demand_window(Product("milk"), TODAY) == -1).all()


def test_late_sale_is_counted_on_its_day() -> None:
    product = fold([make_movement(0), make_movement(1, occurred_at_ms=NOON_MS - DAY_MS)])

    assert demand_window(product, TODAY)[-3:].tolist() == [-1, 1, 1]


def test_cancellations_lower_the_demand_of_their_day_but_not_below_nothing() -> None:
    yesterday = NOON_MS - DAY_MS
    product = fold(
        [
            make_movement(0, units=-5),
            make_movement(1, units=2),
            make_movement(2, units=3, occurred_at_ms=yesterday),
        ]
    )

    assert demand_window(product, TODAY)[-2:].tolist() == [0, 3]
    assert units_sold(product, TODAY - 1, TODAY) == 3


def test_what_comes_back_was_wanted_all_the_same() -> None:
    back = replace(make_movement(1, units=2), cause="return")

    product = fold([(make_level(10), levels_at(0)), make_movement(0, units=-5), back])

    assert units_sold(product, TODAY, TODAY) == 5
    assert on_hand(product) == 7


def test_what_is_cancelled_was_not_wanted_on_the_day_of_its_order() -> None:
    yesterday = NOON_MS - DAY_MS
    cancelled = replace(make_movement(1, units=4), wanted_at_ms=yesterday)

    product = fold([make_movement(0, units=-5, occurred_at_ms=yesterday), cancelled])

    assert units_sold(product, TODAY - 1, TODAY - 1) == 1
    assert units_sold(product, TODAY, TODAY) == 0


def test_more_cancelled_than_ordered_in_a_day_is_taken_off_the_days_before() -> None:
    product = fold(
        [
            make_movement(0, units=-5, occurred_at_ms=NOON_MS - 2 * DAY_MS),
            make_movement(1, units=-1, occurred_at_ms=NOON_MS - DAY_MS),
            make_movement(2, units=4),
        ]
    )

    assert [units_sold(product, TODAY - ago, TODAY - ago) for ago in (2, 1, 0)] == [5, 1, 0]
    assert units_sold(product, TODAY - 2, TODAY) == 2


def test_cancellation_cannot_be_of_an_order_yet_to_come() -> None:
    cancelled = replace(make_movement(1, units=1), wanted_at_ms=NOON_MS + 90 * DAY_MS)

    product = fold([make_movement(0, units=-5), cancelled])

    assert units_sold(product, TODAY, TODAY) == 4


def test_day_begins_where_the_store_is() -> None:
    calendar = Calendar(timezone(timedelta(hours=-8)))
    late_evening = NOON_MS + 17 * 3_600_000  # 5 in the morning UTC, 9 in the evening there

    product = apply_movement(Product("milk"), make_movement(occurred_at_ms=late_evening), calendar)

    assert product.demand == ((TODAY, 1),)


def test_days_without_anything_to_sell_are_what_other_days_bring() -> None:
    product = fold(
        [
            make_movement(n, units=-units, occurred_at_ms=NOON_MS - (6 - n) * DAY_MS)
            for n, units in enumerate((4, 4, 1, 6))
        ]
    )
    product = replace(product, sold_out=(TODAY - 4, TODAY - 3, TODAY - 2))

    assert demand_window(product, TODAY)[-7:].tolist() == [
        4,
        4,
        4,
        6,
        pytest.approx(8 / 3),
        0,
        pytest.approx(8 / 3),
    ]


def test_drought_lasts_from_an_empty_shelf_to_the_day_before_it_is_filled() -> None:
    empty = fold([(make_level(0), levels_at(0))])
    during = observed(observed(empty, TODAY), TODAY + 1)
    filled = make_level(9, event_id="l2", occurred_at_ms=NOON_MS + 3 * DAY_MS)

    after = observed(fold([(filled, levels_at(1))], during), TODAY + 3)

    assert [*sold_out_days(during, TODAY + 2)] == [TODAY, TODAY + 1, TODAY + 2]
    assert [*sold_out_days(after, TODAY + 9)] == [TODAY, TODAY + 1, TODAY + 2]
    assert observed(after, TODAY + 9) is after


def test_closed_days_are_unknown_and_not_days_without_demand() -> None:
    sundays = Calendar(closed_weekdays=[6])  # today is a Thursday
    product = fold([make_movement(0, units=-4, occurred_at_ms=NOON_MS - 6 * DAY_MS)])

    window = demand_window(product, TODAY, sundays)

    assert window[-7:].tolist() == [4, 0, -1, 0, 0, 0, pytest.approx(0.8)]


def test_demand_older_than_the_window_is_forgotten() -> None:
    product = fold(
        [make_movement(i, occurred_at_ms=NOON_MS + i * DAY_MS) for i in range(PAST_DAYS + 9)]
    )

    assert len(product.demand) == PAST_DAYS
    assert (past_demand(product, TODAY + PAST_DAYS + 8) == 1).all()


# --- What is told of it ------------------------------------------------------------------------


def test_latest_name_and_price_are_kept() -> None:
    product = fold(
        [
            (make_level(price=2.5), levels_at(0)),
            make_movement(0, price=2.0, name="Milk 1 l"),
            make_movement(1, price=9.0, name="old", occurred_at_ms=NOON_MS - 9),
        ]
    )

    assert (product.name, product.price) == ("Milk 1 l", 2.0)


def test_products_of_one_order_are_bought_together() -> None:
    product = fold(
        [
            make_movement(0, bought_with=("bread", "eggs")),
            make_movement(1, bought_with=("eggs", "milk")),
            make_movement(2, units=1, bought_with=("salt",)),
        ]
    )

    assert product.bought_with == (("eggs", 2), ("bread", 1))
    assert product_state(product, NOON_MS).bought_with == ("eggs", "bread")


def test_frequent_partner_survives_any_number_of_rare_ones() -> None:
    partners = [("bread", f"rare-{i}") for i in range(5 * MAX_BOUGHT_WITH)]

    product = fold([make_movement(i, bought_with=pair) for i, pair in enumerate(partners)])

    assert product.bought_with[0] == ("bread", len(partners))
    assert len(product.bought_with) == MAX_BOUGHT_WITH


def test_equal_products_are_told_equally() -> None:
    product = fold([(make_level(), levels_at(0)), make_movement()])

    assert product_state(product, NOON_MS) == product_state(product, NOON_MS + 1)
    assert product_state(product, NOON_MS).units_7d == 1
    assert product_state(product, NOON_MS + 7 * DAY_MS).units_7d == 0
