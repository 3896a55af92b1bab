"""Our policy: learns from what is before the test, and from what it sold itself."""

from __future__ import annotations

import numpy as np
import pytest

from stream.domain.quantiles import at_level
from stream.evaluation.our_orders import (
    Alerted,
    Fitted,
    fitted,
    known_of,
    normal_quantiles,
    wanted_at_least,
)
from stream.evaluation.shop import RUN_IN_DAYS, Shop
from stream.evaluation.warehouse import Replay, replay
from stream.model_specs import HORIZON_DAYS, QUANTILES
from tests.unit.evaluation.shops import make_shop

N_DAYS = 210
LEVELS = np.arange(1, len(QUANTILES) + 1, dtype=np.float32)


@pytest.fixture(scope="module")
def shop() -> Shop:
    units = np.random.default_rng(8).poisson(1.5, (12, N_DAYS))
    units[:, 5::7] = 0
    return make_shop(units.tolist(), closed=range(5, N_DAYS, 7))


@pytest.fixture(scope="module")
def learnt(shop: Shop) -> Fitted:
    return fitted(shop, seed=1, n_steps=30)


def replayed(shop: Shop, learnt: Fitted, service_level: float) -> Replay:
    first = shop.test_from - RUN_IN_DAYS
    policy = Alerted(shop, learnt, 3, first=first, service_level=service_level)
    return replay(shop, policy, 3, first=first)


def test_a_shelf_that_held_out_sold_what_was_wanted() -> None:
    wanted = wanted_at_least(np.array([2.0], np.float32), np.array([False]), LEVELS[None])

    assert wanted.tolist() == [2.0]


@pytest.mark.parametrize(("sold", "expected"), [(0.0, 5.0), (4.0, 6.5), (9.0, 9.0), (12.0, 12.0)])
def test_an_empty_shelf_does_not_teach_that_nothing_more_was_wanted(
    sold: float, expected: float
) -> None:
    wanted = wanted_at_least(np.array([sold], np.float32), np.array([True]), LEVELS[None])

    assert wanted.tolist() == [expected]


def test_days_before_the_first_sale_are_unknown() -> None:
    assert known_of(np.array([[0, 0, 3, 0]])).tolist() == [[-1, -1, 3, 0]]


def test_a_higher_service_level_keeps_more_stock_and_loses_less(shop: Shop, learnt: Fitted) -> None:
    low, high = (replayed(shop, learnt, level) for level in (0.3, 0.95))

    assert high.mean_stock > low.mean_stock
    assert high.lost.sum() < low.lost.sum()


def test_what_comes_in_the_test_is_not_learnt_from(shop: Shop, learnt: Fitted) -> None:
    other = shop.units.copy()
    other[:, shop.test_from :] += 7
    again = fitted(make_shop(other.tolist()), seed=1, n_steps=30)

    known = learnt.past[:, -84:]
    assert np.array_equal(learnt.forecast(known, 0), again.forecast(known, 0))


def test_what_was_wanted_and_not_there_changes_no_order(shop: Shop, learnt: Fitted) -> None:
    once = replayed(shop, learnt, 0.2)
    more = shop.units.copy()
    days = slice(shop.test_from - RUN_IN_DAYS, None)
    more[:, days] += 5 * (once.lost > 0)

    again = replayed(Shop(shop.name, shop.ids, more, shop.is_open, shop.first_day), learnt, 0.2)

    assert once.lost.sum() < again.lost.sum()
    assert np.array_equal(once.ordered, again.ordered)


def test_a_forecast_never_falls_along_days_or_levels(learnt: Fitted) -> None:
    cumulative = learnt.forecast(learnt.past[:, -84:], 3)

    assert cumulative.shape == (12, HORIZON_DAYS, len(QUANTILES))
    assert bool((np.diff(cumulative, axis=1) >= -1e-5).all())
    assert bool((np.diff(cumulative, axis=2) >= -1e-5).all())


def test_the_own_past_says_what_the_safety_stock_rule_says() -> None:
    past = np.array([[0, 4] * 20], np.float32)

    quantiles = normal_quantiles(past)

    assert at_level(quantiles, 0.975)[0, 3] == pytest.approx(2 * 4 + 1.96 * 2 * 2, abs=0.01)
    assert at_level(quantiles, 0.2)[0, 0] == pytest.approx(2 - 0.8416 * 2, abs=0.01)
    assert quantiles.min() == 0
