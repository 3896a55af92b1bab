"""The planners' rules, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from stream.evaluation.stock_rules import RecentSales, RollingSafetyStock, SafetyStock
from stream.evaluation.warehouse import Seen


def make_seen(
    sold: list[int], *, on_hand: int = 0, inbound: int = 0, ran_out: tuple[int, ...] = ()
) -> Seen:
    """Return the sales of one product, and the days on which its shelf was empty at the end."""
    return Seen(
        today=len(sold) - 1,
        sold=np.array([sold]),
        ran_out=np.isin(np.arange(len(sold)), ran_out)[None],
        on_hand=np.array([on_hand]),
        inbound=np.array([inbound]),
    )


def test_stocky_orders_up_to_thirty_days_mean_times_the_lead_time() -> None:
    seen = make_seen([50] + [2, 0, 1] * 10, on_hand=2, inbound=1)

    assert RecentSales(7).orders(seen).tolist() == [7 - 3]


def test_a_part_of_a_unit_is_ordered_as_a_whole_one() -> None:
    assert RecentSales(3).orders(make_seen([0] * 29 + [1])).tolist() == [1]


def test_stocky_s_rule_can_be_multiplied() -> None:
    assert RecentSales(7, times=2.5).orders(make_seen([2] * 30, on_hand=3)).tolist() == [35 - 3]


def test_more_than_enough_is_not_sent_back() -> None:
    assert RecentSales(3).orders(make_seen([1] * 30, on_hand=9)).tolist() == [0]


def test_safety_stock_is_the_mean_over_lead_time_and_review_and_deviations_of_it() -> None:
    past = np.array([[0, 4] * 20])

    rule = SafetyStock(past, 3, z=1.5)

    assert rule.orders(make_seen([9, 9], on_hand=1)).tolist() == [2 * 4 + 1.5 * 2 * 2 - 1]


def test_safety_stock_learns_nothing_later() -> None:
    rule = SafetyStock(np.array([[1, 1]]), 3, z=1.0)

    assert rule.orders(make_seen([0] * 90)).tolist() == rule.orders(make_seen([7] * 90)).tolist()


def test_rolling_safety_stock_goes_by_the_last_days() -> None:
    seen = make_seen([100] * 9 + [0, 4] * 42)

    assert RollingSafetyStock(3, z=1.0).orders(seen).tolist() == [2 * 4 + 2 * 2]


@pytest.mark.parametrize(("n_in_stock", "level"), [(42, 4 * 4), (6, 12)])
def test_days_that_ran_out_are_left_out_where_enough_others_are_left(
    n_in_stock: int, level: int
) -> None:
    n_out = 84 - n_in_stock
    sold = [4] * n_in_stock + [0] * n_out if n_in_stock > 6 else [3] * 84
    seen = make_seen(sold, ran_out=tuple(range(n_in_stock, 84)))

    assert RollingSafetyStock(3, z=0.0).orders(seen).tolist() == [level]
