from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from stream.domain.trail import Kind
from stream.errors import Misconfigured
from stream.training.deeds import DAY_MS, MAX_DAYS, Deeds, in_time

MONDAY_MS = 4 * DAY_MS


def make_deeds(*acts: tuple[str, str, int, Kind, int]) -> Deeds:
    visitors, products, *numbers = zip(*acts, strict=True)
    at_ms, kinds, quantities = (np.array(column, dtype=np.int64) for column in numbers)
    return in_time(
        Deeds(
            np.array(visitors, object),
            np.array(products, object),
            at_ms,
            kinds,
            quantities,
            np.full(len(visitors), np.nan),
        )
    )


def sold(product_id: str, day: int, units: int = 1) -> tuple[str, str, int, Kind, int]:
    return ("ann", product_id, MONDAY_MS + day * DAY_MS + 5, Kind.PURCHASE, units)


def test_a_history_is_what_one_visitor_did_in_order_of_time() -> None:
    deeds = make_deeds(
        ("bob", "jam", 5, Kind.VIEW, 1),
        ("ann", "milk", 9, Kind.PURCHASE, 1),
        ("ann", "bread", 3, Kind.ADD, 1),
    )

    assert deeds.histories() == [
        (["bread", "milk"], [3, 9], [Kind.ADD, Kind.PURCHASE]),
        (["jam"], [5], [Kind.VIEW]),
    ]


def test_what_was_done_at_once_stays_in_its_order() -> None:
    deeds = make_deeds(*[("ann", product, 5, Kind.PURCHASE, 1) for product in "zyx"])

    assert deeds.histories()[0].product_ids == ["z", "y", "x"]


def test_demand_is_units_a_day_and_unknown_before_the_first_sale() -> None:
    deeds = make_deeds(
        sold("milk", 0, 2), sold("milk", 0), sold("milk", 2, 5), sold("jam", 1), sold("jam", 2),
        ("ann", "jam", MONDAY_MS, Kind.VIEW, 1),
    )  # fmt: skip

    demand = deeds.demand(2)

    assert demand.units.tolist() == [[-1, 1, 1], [3, 0, 5]]
    assert demand.first_phase == 0
    assert demand.is_open.all()


def test_days_without_any_sale_are_closed_also_where_what_sells_is_known_too_little() -> None:
    often = [sold(f"p{at}", day) for at in range(9) for day in (0, 1, 3, 5)]
    deeds = make_deeds(*often, sold("jam", 4))

    demand = deeds.demand(2)

    assert demand.units.shape == (9, 6)
    assert demand.is_open.tolist() == [True, True, False, True, True, True]


def test_prices_are_told_of_what_often_sells_and_relative_to_the_usual_one() -> None:
    deeds = make_deeds(*[sold(product, day) for day in range(21) for product in ("jam", "milk")])
    prices = np.where(deeds.at_ms // DAY_MS < 4 + 14, 2.0, 1.0)
    prices[(deeds.products == "milk") & (deeds.at_ms // DAY_MS > 4 + 3)] = np.nan

    price = replace(deeds, prices=prices).demand(2).price

    assert price[0].tolist() == pytest.approx([0.0] * 14 + [-math.log(2)] * 7)
    assert not price[1].any()


def test_what_sold_too_seldom_is_left_out() -> None:
    deeds = make_deeds(sold("milk", 0), sold("milk", 1), sold("jam", 1))

    assert deeds.demand(2).units.shape == (1, 2)
    with pytest.raises(Misconfigured, match=r"sold 3 times, got 2 products, sold up to 2 times"):
        deeds.demand(3)


def test_one_sale_in_another_age_does_not_make_demand_endless() -> None:
    deeds = make_deeds(
        ("ann", "milk", 0, Kind.PURCHASE, 1), sold("milk", 20_000), sold("milk", 20_001)
    )

    demand = deeds.demand(1).units

    assert demand.shape[1] <= MAX_DAYS
    assert demand.tolist() == [[1, 1]]


def test_other_data_has_another_hash() -> None:
    deeds = [make_deeds(sold("milk", 0)), make_deeds(sold("milk", 1)), make_deeds(sold("jam", 0))]

    assert len({each.sha256 for each in deeds}) == 3
    assert make_deeds(sold("milk", 0)).sha256 == deeds[0].sha256
