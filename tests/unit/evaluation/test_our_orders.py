"""Our policy: learns from what is before the test, and from what it sold itself."""

from __future__ import annotations

import numpy as np
import pytest

from stream.evaluation.our_orders import (
    Alerted,
    Fitted,
    fitted,
    known_of,
)
from stream.evaluation.shop import RUN_IN_DAYS, Shop
from stream.evaluation.warehouse import Replay, Seen, replay
from stream.model_specs import HORIZON_DAYS, QUANTILES
from tests.unit.evaluation.shops import make_shop

N_DAYS = 210


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


def test_days_before_the_first_sale_and_days_closed_are_unknown() -> None:
    is_open = np.array([True, True, True, False, True])

    assert known_of(np.array([[0, 0, 3, 0, 0]]), is_open).tolist() == [[-1, -1, 3, -1, 0]]


def test_a_shelf_that_ran_out_teaches_what_better_days_brought(shop: Shop, learnt: Fitted) -> None:
    first = shop.test_from
    policy = Alerted(shop, learnt, 3, first=first, service_level=0.5)
    sold, ran_out = shop.units[:, : first + 1].copy(), np.zeros((12, first + 1), dtype=bool)
    sold[:, first], ran_out[0, first] = 0, True
    shelves = np.zeros(12, dtype=np.int64)

    policy.orders(Seen(first, sold, ran_out, shelves, shelves))

    assert shop.is_open[first]
    late = learnt.past[0, -84:]
    assert policy.known[0, -1] == pytest.approx(late[late >= 0].mean(), rel=1e-5)
    assert policy.known[1, -1] == 0


def test_a_higher_service_level_keeps_more_stock_and_loses_less(shop: Shop, learnt: Fitted) -> None:
    low, high = (replayed(shop, learnt, level) for level in (0.3, 0.95))

    assert high.mean_stock > low.mean_stock
    assert high.lost.sum() < low.lost.sum()


def test_what_comes_in_the_test_is_not_learnt_from(shop: Shop, learnt: Fitted) -> None:
    other = shop.units.copy()
    other[:, shop.test_from :] += 7
    again = fitted(
        Shop(shop.name, shop.ids, other, shop.is_open, shop.first_day), seed=1, n_steps=30
    )

    assert np.array_equal(learnt.forecast(learnt.past, 0), again.forecast(learnt.past, 0))


def test_what_was_wanted_and_not_there_changes_no_order(shop: Shop, learnt: Fitted) -> None:
    once = replayed(shop, learnt, 0.2)
    more = shop.units.copy()
    days = slice(shop.test_from - RUN_IN_DAYS, None)
    more[:, days] += 5 * (once.lost > 0)

    again = replayed(Shop(shop.name, shop.ids, more, shop.is_open, shop.first_day), learnt, 0.2)

    assert once.lost.sum() < again.lost.sum()
    assert np.array_equal(once.ordered, again.ordered)


def test_a_forecast_never_falls_along_days_or_levels(learnt: Fitted) -> None:
    cumulative = learnt.forecast(learnt.past, 3)

    assert cumulative.shape == (12, HORIZON_DAYS, len(QUANTILES))
    assert bool((np.diff(cumulative, axis=1) >= -1e-5).all())
    assert bool((np.diff(cumulative, axis=2) >= -1e-5).all())
