from __future__ import annotations

import math
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from stream.domain import demand
from stream.domain.calendar import DAY_MS, Calendar
from stream.domain.trail import Kind
from stream.errors import Misconfigured
from stream.training.demand import MAX_DAYS, demand_of, less_cancelled
from stream.training.shelves import NEVER_MS
from tests.unit.training.deeds import MONDAY_MS, at, cancelled, make_deeds, sold


def test_demand_is_units_a_day_and_unknown_before_the_first_sale() -> None:
    deeds = make_deeds(
        sold("milk", 0, 2), sold("milk", 0), sold("milk", 2, 5), sold("jam", 1), sold("jam", 2),
        ("ann", "jam", MONDAY_MS, Kind.VIEW, 1),
    )  # fmt: skip

    demand = demand_of(deeds, 2)

    assert demand.units.tolist() == [[-1, 1, 1], [3, 0, 5]]
    assert demand.first_phase == 0
    assert demand.is_open.all()


def test_days_without_any_sale_are_closed_also_where_what_sells_is_known_too_little() -> None:
    often = [sold(f"p{at}", day) for at in range(9) for day in (0, 1, 3, 5)]
    deeds = make_deeds(*often, sold("jam", 4))

    demand = demand_of(deeds, 2)

    assert demand.units.shape == (9, 6)
    assert demand.is_open.tolist() == [True, True, False, True, True, True]


def test_prices_are_told_of_what_often_sells_and_relative_to_the_usual_one() -> None:
    deeds = make_deeds(*[sold(product, day) for day in range(21) for product in ("jam", "milk")])
    prices = np.where(deeds.at_ms // DAY_MS < 4 + 14, 2.0, 1.0)
    prices[(deeds.products == "milk") & (deeds.at_ms // DAY_MS > 4 + 3)] = np.nan

    price = demand_of(replace(deeds, prices=prices), 2).price

    assert price[0].tolist() == pytest.approx([0.0] * 14 + [-math.log(2)] * 7)
    assert not price[1].any()


def test_what_sold_too_seldom_is_left_out() -> None:
    deeds = make_deeds(sold("milk", 0), sold("milk", 1), sold("jam", 1))

    assert demand_of(deeds, 2).units.shape == (1, 2)
    with pytest.raises(Misconfigured, match=r"sold 3 times, got 2 products, sold up to 2 times"):
        demand_of(deeds, 3)


def test_one_sale_in_another_age_does_not_make_demand_endless() -> None:
    deeds = make_deeds(
        ("ann", "milk", 0, Kind.PURCHASE, 1), sold("milk", 20_000), sold("milk", 20_001)
    )

    demand = demand_of(deeds, 1).units

    assert demand.shape[1] <= MAX_DAYS
    assert demand.tolist() == [[1, 1]]


def test_what_was_cancelled_was_not_wanted_on_the_day_of_its_order() -> None:
    deeds = make_deeds(sold("milk", 0, 4), sold("milk", 1, 6), cancelled("milk", 0, 3))

    assert demand_of(deeds, 1).units.tolist() == [[1, 6]]


def test_what_a_day_cannot_give_back_is_taken_off_the_days_before() -> None:
    late = make_deeds(
        sold("milk", 0, 4), sold("milk", 1, 6), sold("jam", 2), cancelled("milk", 9, 7)
    )

    assert demand_of(late, 1).units.tolist() == [[-1, -1, 1], [3, 0, 0]]


def test_a_cancelled_order_is_no_closed_day_nor_one_before_the_product_was() -> None:
    daily = [sold(f"p{number}", day) for number in range(9) for day in range(4)]
    undone = [cancelled(f"p{number}", day) for number in range(9) for day in (0, 2)]

    past = demand_of(make_deeds(*daily, *undone), 1)

    assert past.is_open.all()
    assert past.units[0].tolist() == [0, 1, 0, 1]


def test_cancelled_orders_of_before_the_past_and_of_unknown_products_say_nothing() -> None:
    deeds = make_deeds(sold("milk", 3), sold("milk", 4), cancelled("milk", 1), cancelled("tea", 3))

    assert demand_of(deeds, 1).units.tolist() == [[1, 1]]


def test_cancellations_count_as_workers_count_them() -> None:
    draw = np.random.default_rng(7)
    ordered, undone = draw.poisson(3, (50, 30)), draw.poisson(2.5, (50, 30))
    folded = [
        tuple((day, int(units)) for day, units in enumerate(net) if units)
        for net in ordered - undone
    ]

    units = less_cancelled(ordered.astype(np.float32), undone.astype(np.float32))

    assert units.tolist() == [demand.sold(net, 0, 30).tolist() for net in folded]


def test_a_day_is_that_of_the_store_and_so_is_its_weekday() -> None:
    deeds = make_deeds(
        sold("milk", 0, 2, hour=3), sold("milk", 0, hour=4), sold("milk", 1, 5, hour=3)
    )
    new_york = Calendar(ZoneInfo("America/New_York"))  # midnight is at 05:00 UTC

    past = demand_of(deeds, 1, new_york)

    assert past.units.tolist() == [[3, 5]]
    assert past.first_phase == 6


def test_closed_are_also_the_days_that_the_calendar_says() -> None:
    seldom = make_deeds(*[sold("milk", day) for day in (0, 1, 7, 8)])
    monday = MONDAY_MS // DAY_MS

    past = demand_of(seldom, 1, Calendar(closed_weekdays=[5, 6], closed_days=[monday + 3]))

    assert demand_of(seldom, 1).is_open.all()
    assert past.is_open.tolist() == [True, True, True, False, True, False, False, True, True]


def test_a_day_sold_out_says_nothing_of_the_demand() -> None:
    acts = [
        sold("milk", 0, 4),
        sold("milk", 1, 1),
        sold("jam", 0),
        sold("jam", 5),
        sold("milk", 5, 4),
    ]
    deeds = make_deeds(*acts, droughts=(("milk", at(1, 8), at(4, 7)), ("tea", 0, NEVER_MS)))

    assert demand_of(deeds, 1).units.tolist() == [[1, 0, 0, 0, 0, 1], [4, -1, -1, -1, 0, 4]]


def test_a_shelf_that_was_never_filled_and_sells_all_the_same_is_not_believed() -> None:
    acts = [sold("milk", 4), *(sold("jam", day, 2) for day in (0, 3, 5))]

    past = demand_of(make_deeds(*acts, droughts=(("jam", at(-9), NEVER_MS),)), 1)

    assert past.units[0].tolist() == [2, 0, 0, 2, 0, 2]


def test_a_drought_of_some_hours_is_of_its_day_and_one_that_lasts_of_all_others() -> None:
    daily = [sold("milk", day, 1 if day == 1 else 3) for day in range(4)]
    hours, lasting = ("milk", at(1, 8), at(1, 9)), ("milk", at(3, 8), NEVER_MS)
    deeds = make_deeds(*daily, sold("jam", 5), droughts=(hours, lasting))

    assert demand_of(deeds, 1).units[1].tolist() == [3, -1, 3, 3, -1, -1]


def test_a_drought_that_begins_before_the_past_or_ends_after_it_is_cut() -> None:
    droughts = (("milk", at(-9), at(-5)), ("milk", at(-2), at(2, 3)), ("milk", at(30), at(40)))
    deeds = make_deeds(sold("jam", 0), sold("milk", 0, 1), sold("milk", 4, 9), droughts=droughts)

    assert demand_of(deeds, 1).units[1].tolist() == [-1, -1, 0, 0, 9]


def test_a_drought_is_counted_by_the_days_of_the_store() -> None:
    daily = [sold("milk", day, units, hour=12) for day, units in enumerate([2, 2, 2, 1])]
    deeds = make_deeds(*daily, sold("jam", 5, hour=12), droughts=(("milk", at(4, 3), at(5, 7)),))

    utc, new_york = (
        demand_of(deeds, 1, Calendar(ZoneInfo(zone))).units[1].tolist()
        for zone in ("UTC", "America/New_York")
    )

    assert utc == [2, 2, 2, 1, -1, 0]
    assert new_york == [2, 2, 2, -1, -1, 0]
