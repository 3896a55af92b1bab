"""What is counted after a replay, by hand; and how sure it is."""

from __future__ import annotations

import numpy as np
import pytest

from stream.evaluation.stock_quality import alerts_of, outcome_of, ratio_of, total_of
from stream.evaluation.warehouse import replay
from tests.unit.evaluation.shops import Told, make_shop


def test_lost_units_and_empty_shelves_are_counted_over_the_test_alone() -> None:
    shop = make_shop([[2, 9, 2, 1, 1, 0]], closed=[5])

    outcome = outcome_of(replay(shop, Told({1: 2}), 1, first=1), 4)

    assert outcome.wanted.tolist() == [4]
    assert outcome.lost.tolist() == [2]
    assert outcome.share_lost.value == 0.5
    assert outcome.days_out.tolist() == [2]
    assert outcome.n_open_days == 3


def test_what_a_day_of_bulk_orders_lost_is_told_apart() -> None:
    wanted = [1] * 29 + [50] + [1] * 10

    outcome = outcome_of(replay(make_shop([wanted]), Told({}), 3, first=1), 39)

    assert outcome.lost.tolist() == [28 + 50 + 10 - 4]
    assert outcome.lost_in_bulk.tolist() == [50]


def test_one_situation_is_one_alert_also_over_a_closed_day() -> None:
    ordered = np.array([[1, 2, 0, 3, 0, 1]])

    opened = alerts_of(ordered, np.array([True, True, False, True, True, True]))

    assert opened.tolist() == [[True, False, False, False, False, True]]


def alerted(wanted: list[int], *, closed: tuple[int, ...] = ()) -> tuple[float, float]:
    """Return alerts judged and right, of an order on day 1, lead time 1: 2 on the shelf.

    It arrives on day 3; one of the review on day 2 would on day 4.
    """
    shop = make_shop([[1, 0, *wanted]], closed=closed)
    outcome = outcome_of(replay(shop, Told({1: 5}), 1, first=1), len(wanted) + 1)
    return float(outcome.judged.sum()), float(outcome.right.sum())


@pytest.mark.parametrize(
    ("wanted", "right"), [([1, 1, 9], 0), ([1, 2, 0], 1), ([3, 0, 0], 1), ([0, 0, 9], 0)]
)
def test_an_alert_is_right_if_the_next_review_would_have_been_too_late(
    wanted: list[int], right: int
) -> None:
    assert alerted(wanted) == (1, right)


def test_over_a_closed_day_the_next_review_is_later() -> None:
    assert alerted([0, 1, 2], closed=(2,)) == (1, 1)


def test_an_alert_whose_end_is_beyond_the_test_is_not_judged() -> None:
    assert alerted([9]) == (0, 0)


def test_an_interval_holds_its_figure_and_narrows_with_more_products() -> None:
    draw = np.random.default_rng(3)
    few, many = draw.gamma(1.0, 5.0, 40), draw.gamma(1.0, 5.0, 4000)

    narrow, wide = (ratio_of([each], [np.ones(len(each))]) for each in (many, few))

    assert wide.low < wide.value < wide.high
    assert narrow.high - narrow.low < (wide.high - wide.low) / 5
    assert total_of(few).value == pytest.approx(few.sum())


def test_the_same_share_of_every_product_is_sure() -> None:
    lost = np.random.default_rng(4).gamma(0.3, 50.0, 200)

    ratio = ratio_of([lost * 0.8, lost[:50] * 0.8], [lost, lost[:50]])

    assert ratio == pytest.approx((0.8, 0.8, 0.8))
