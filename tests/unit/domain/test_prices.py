"""What was paid, and what a forecaster is told of it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from stream.domain.calendar import DAY_MS
from stream.domain.events import StockMovement
from stream.domain.price_plans import PlannedPrice
from stream.domain.prices import (
    Paid,
    RelativePrices,
    paid_by_day,
    prices_around,
    relative_prices,
    with_price,
)
from stream.domain.product_folding import apply_movement
from stream.domain.products import Product
from stream.model_specs import HISTORY_DAYS
from tests.unit.builders import NOON_MS, TODAY, deliveries, make_movement

FIRST_DAY = TODAY - HISTORY_DAYS + 1
HALF = pytest.approx(-math.log(2))
#: A day for which it was told that nothing is planned: so plans are told.
NOTHING_PLANNED = PlannedPrice(TODAY - 40, TODAY - 39, NOON_MS - 50 * DAY_MS, 0, 0, None)


def planned(first: int, until: int, price: float) -> PlannedPrice:
    """Days are told from today on."""
    return PlannedPrice(TODAY + first, TODAY + until, NOON_MS, 0, 1, price)


def paid_on(prices: Sequence[float]) -> Paid:
    """One line a day, the last one of today; none where a price is NaN."""
    paid = b""
    for ago, price in enumerate(reversed(prices)):
        if not math.isnan(price):
            paid = with_price(paid, TODAY - ago, price)
    return paid


def around(prices: Sequence[float], *plans: PlannedPrice) -> RelativePrices:
    """What is told of one product, ``float32[day]``, which sold one unit a day."""
    units = np.ones((1, HISTORY_DAYS), dtype=np.float32)
    told: RelativePrices = prices_around(
        [paid_on(prices)], [(NOTHING_PLANNED, *plans)], units, TODAY
    )[0]
    return told


# --- What was paid -----------------------------------------------------------------------------


def sale(offset: int, price: float | None, *, ago: int = 0, units: int = -1) -> StockMovement:
    return make_movement(
        offset, price=price, units=units, occurred_at_ms=NOON_MS + offset - ago * DAY_MS
    )


def folded(movements: Sequence[StockMovement]) -> Product:
    product = Product("milk")
    for movement in movements:
        product = apply_movement(product, movement)
    return product


def known_of(product: Product) -> dict[int, float]:
    """What a unit cost by days ago."""
    [prices] = paid_by_day([product.paid], FIRST_DAY, HISTORY_DAYS)
    return {HISTORY_DAYS - 1 - int(day): float(prices[day]) for day in np.flatnonzero(prices > 0)}


def test_the_price_of_a_day_is_the_mean_of_its_lines_whatever_units_they_have() -> None:
    product = folded([sale(0, 2.0, units=-9), sale(1, 4.0), sale(2, None), sale(3, 1.0, ago=2)])

    assert known_of(product) == {0: 3.0, 2: 1.0}


def test_what_is_cancelled_or_comes_back_says_nothing_of_the_price() -> None:
    returned = replace(sale(1, 9.0, units=1), cause="return")

    product = folded([sale(0, 2.0), returned, sale(2, 9.0, units=1)])

    assert known_of(product) == {0: 2.0}


def test_only_prices_that_a_forecast_reads_are_remembered() -> None:
    product = folded([sale(n, 2.0, ago=300 - n) for n in range(301)])

    assert len(known_of(product)) == HISTORY_DAYS
    assert len(product.paid) == 16 * HISTORY_DAYS


def test_prices_and_lines_beyond_all_reason_stay_at_the_most() -> None:
    paid = b""
    for _ in range(20):
        paid = with_price(paid, TODAY, 1e12)
    [[price]] = paid_by_day([paid], TODAY, 1)

    assert 0 < price <= 1e12


@given(
    st.randoms(use_true_random=False),
    st.lists(
        st.tuples(st.integers(0, 200), st.floats(0, 1e5), st.sampled_from([-3, -1, 1])), max_size=30
    ),
)
def test_prices_are_those_of_an_offline_fold_in_any_order_with_any_repeat(
    chance: Random, lines: list[tuple[int, float, int]]
) -> None:
    movements = [
        sale(n, price, ago=ago, units=units) for n, (ago, price, units) in enumerate(lines)
    ]
    ahead = [replace(each, origin=replace(each.origin, partition=1)) for each in movements[::-1]]
    for n, each in enumerate(ahead):
        ahead[n] = replace(each, origin=replace(each.origin, offset=n))
    live = folded(deliveries(chance, movements, ahead))

    assert live == folded([*movements, *ahead])
    by_day = defaultdict[int, list[float]](list)
    for ago, price, units in lines:
        if units < 0:
            by_day[TODAY - ago].append(price)
    latest = max(by_day, default=TODAY)
    [prices] = paid_by_day([live.paid], latest - HISTORY_DAYS + 1, HISTORY_DAYS)
    for day, price in zip(range(latest - HISTORY_DAYS + 1, latest + 1), prices, strict=True):
        if day in by_day:
            assert price == pytest.approx(sum(by_day[day]) / len(by_day[day]), abs=1e-5, rel=1e-5)
        else:
            assert math.isnan(price)


# --- Over the usual one ------------------------------------------------------------------------


def test_a_price_is_that_of_its_week_over_the_usual_one() -> None:
    paid = np.full((1, 24), 4.0, dtype=np.float32)
    paid[0, 7:14], paid[0, 8:10] = 2.0, np.nan
    paid[0, 21:] = 400.0

    [price] = relative_prices(paid, np.ones_like(paid))

    assert price[:7].tolist() == [0] * 7
    assert price[7:14].tolist() == pytest.approx([-math.log(2)] * 7)
    assert price[14:21].tolist() == [0] * 7
    assert price[21:].tolist() == [1] * 3


def test_a_price_that_shows_only_where_something_sold_stays_unknown() -> None:
    paid = np.full((2, 28), np.nan, dtype=np.float32)
    paid[:, :14], paid[:, 14:20] = 2.0, 1.0
    paid[0, 10:] = np.nan
    sold = np.ones_like(paid)

    price = relative_prices(paid, sold)

    assert not price[0].any()
    assert price[1, 14:21].tolist() == pytest.approx([-math.log(2)] * 7)
    assert not price[1, 21:].any()


# --- What a forecaster is told -----------------------------------------------------------------


def test_prices_read_are_those_that_a_forecaster_is_taught() -> None:
    """Of the same days, lines and units: of many products, of which some seldom sell."""
    chance = np.random.default_rng(3)
    shown = np.where(chance.random((40, 1)) < 0.5, 0.3, 0.8)
    prices = chance.choice([1.5, 2.0, 2.0, 2.5, 19.0], (40, HISTORY_DAYS))
    prices = np.where(chance.random(prices.shape) < shown, prices, np.nan)
    sold = chance.integers(-1, 5, prices.shape).astype(np.float32)

    told = prices_around(
        [paid_on(of_one.tolist()) for of_one in prices], [(NOTHING_PLANNED,)] * 40, sold, TODAY
    )

    taught = relative_prices(prices.astype(np.float32), sold)
    assert told[:, :HISTORY_DAYS] == pytest.approx(taught, abs=1e-5)
    assert 5 < (taught == 0).all(axis=1).sum() < 35
    assert not told[:, HISTORY_DAYS:].any()


def test_a_promotion_ahead_is_told_of_its_days_and_the_price_is_the_usual_one_after_it() -> None:
    told = around([4.0] * HISTORY_DAYS, planned(1, 8, 2.0))

    assert told[HISTORY_DAYS : HISTORY_DAYS + 7].tolist() == [HALF] * 7
    assert not told[:HISTORY_DAYS].any()
    assert not told[HISTORY_DAYS + 7 :].any()


def test_a_promotion_that_runs_is_told_until_it_ends() -> None:
    told = around([4.0] * (HISTORY_DAYS - 5) + [2.0] * 5, planned(-4, 4, 2.0))

    assert told[HISTORY_DAYS - 7 : HISTORY_DAYS + 3].tolist() == [HALF] * 10
    assert not told[HISTORY_DAYS + 3 :].any()


def test_what_is_planned_counts_for_days_on_which_nothing_was_paid() -> None:
    prices = [4.0] * (HISTORY_DAYS - 7) + [math.nan] * 6 + [4.0]

    told = around(prices, planned(-6, 1, 2.0))

    assert told[HISTORY_DAYS - 7 : HISTORY_DAYS].tolist() == [HALF] * 7


def test_where_no_price_was_ever_told_nothing_is_known_of_any() -> None:
    """The store may not tell its plans: what it asks today says little of tomorrow."""
    paid = paid_on([4.0] * (HISTORY_DAYS - 7) + [2.0] * 7)
    units = np.ones((3, HISTORY_DAYS), dtype=np.float32)
    long_past = replace(NOTHING_PLANNED, first_day=TODAY - 200, until_day=FIRST_DAY)

    never, before, told = prices_around(
        [paid] * 3, [(), (long_past,), (NOTHING_PLANNED,)], units, TODAY
    )

    assert not never.any()
    assert not before.any()
    assert told[HISTORY_DAYS - 1] == HALF


def test_a_promotion_of_a_product_whose_usual_price_is_not_known_is_not_told() -> None:
    seldom = [math.nan] * (HISTORY_DAYS - 30) + [4.0] * 30

    assert not around(seldom, planned(1, 8, 2.0)).any()
    assert not around([], planned(1, 8, 2.0)).any()


def test_a_price_far_off_is_a_mistake_and_what_is_free_has_the_farthest() -> None:
    told = around([4.0] * HISTORY_DAYS, planned(1, 2, 0.0), planned(2, 3, 1e9))

    assert told[HISTORY_DAYS : HISTORY_DAYS + 3].tolist() == pytest.approx([-1, 1, 0])
