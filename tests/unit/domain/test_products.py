from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.domain.applied import Source
from stream.domain.calendar import DAY_MS
from stream.domain.events import (
    StockAdjusted,
    StockLevelEvent,
    StockMovement,
    StockReceived,
)
from stream.domain.position_folding import MAX_CHANGES
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
    on_hand,
    product_state,
    units_sold,
)
from stream.model_specs import HISTORY_DAYS
from tests.unit.builders import (
    NOON_MS,
    TODAY,
    deliveries,
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
    assert window[-4:].tolist() == [-1, 4, 0, -1]  # today is not over yet


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


def test_demand_older_than_the_window_is_forgotten() -> None:
    product = fold(
        [make_movement(i, occurred_at_ms=NOON_MS + i * DAY_MS) for i in range(HISTORY_DAYS + 9)]
    )

    assert len(product.demand) == HISTORY_DAYS
    assert (demand_window(product, TODAY + HISTORY_DAYS + 8) == 1).all()


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


# --- Interleaving ------------------------------------------------------------------------------

AT_MS = st.integers(-6, 6).map(lambda n: NOON_MS + n * (DAY_MS // 4))
UNITS = st.integers(-5, 5)
MOVEMENTS = st.lists(st.tuples(AT_MS, UNITS, st.integers(0, 1)), max_size=15)
LEVELS = st.lists(st.tuples(AT_MS, st.integers(0, 30), st.sampled_from("cra"), UNITS), max_size=10)


def movements_of(drawn: Sequence[tuple[int, int, int]]) -> list[Fact]:
    return [
        make_movement(
            offset,
            occurred_at_ms=at_ms,
            units=units,
            partition=partition,
            price=float(offset),
            bought_with=("bread", f"p{units}"),
        )
        for offset, (at_ms, units, partition) in enumerate(drawn)
    ]


def level_event(offset: int, drawn: tuple[int, int, str, int]) -> StockLevelEvent:
    at_ms, count, kind, units = drawn
    id_ = f"{kind}-{offset % 7}"
    if kind == "c":
        return make_level(count, event_id=id_, as_of_ms=at_ms)
    if kind == "r":
        return StockReceived(
            event_id=id_, occurred_at_ms=at_ms, product_id="milk", quantity=count + 1
        )
    return StockAdjusted(event_id=id_, occurred_at_ms=at_ms, product_id="milk", difference=units)


def levels_of(drawn: Sequence[tuple[int, int, str, int]]) -> list[Fact]:
    return [(level_event(i, values), levels_at(i)) for i, values in enumerate(drawn)]


def shelf_by_hand(movements: Sequence[Fact], levels: Sequence[Fact]) -> int:
    """What the shelf must be, counted from all facts at once."""
    counts: list[tuple[int, int, int]] = [(-1, -1, 0)]
    changes = [
        (fact.occurred_at_ms, fact.units) for fact in movements if isinstance(fact, StockMovement)
    ]
    seen: set[str] = set()
    for fact in levels:
        assert isinstance(fact, tuple)
        event, source = fact
        if event.event_id in seen:
            continue
        seen.add(event.event_id)
        if isinstance(event, StockReceived):
            changes.append((event.occurred_at_ms, event.quantity))
        elif isinstance(event, StockAdjusted):
            changes.append((event.occurred_at_ms, event.difference))
        else:
            counts.append((event.as_of_ms or 0, source.offset, event.on_hand))
    as_of_ms, _, counted = max(counts)
    return counted + sum(units for at_ms, units in changes if at_ms > as_of_ms)


@given(st.randoms(use_true_random=False), MOVEMENTS.map(movements_of), LEVELS.map(levels_of))
def test_any_interleaving_and_repeat_folds_to_the_same_product(
    chance: Random, movements: list[Fact], levels: list[Fact]
) -> None:
    assert fold(deliveries(chance, movements, levels)) == fold([*levels, *movements])


@given(st.randoms(use_true_random=False), MOVEMENTS.map(movements_of), LEVELS.map(levels_of))
def test_shelf_is_the_latest_count_and_every_later_change_once(
    chance: Random, movements: list[Fact], levels: list[Fact]
) -> None:
    product = fold(deliveries(chance, movements, levels))

    assert on_hand(product) == shelf_by_hand(movements, levels)
