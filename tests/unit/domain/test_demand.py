from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream.domain.calendar import DAY_MS, UTC_DAYS, weekday_of
from stream.domain.demand import empirical_quantiles, filled
from stream.model_specs import HISTORY_DAYS, HORIZON_DAYS, QUANTILES

MEDIAN = QUANTILES.index(0.5)


def days(*units: float) -> NDArray[np.float32]:
    """A window whose last days are *units* and whose others are unknown."""
    unknown = [-1.0] * (HISTORY_DAYS - len(units))
    return np.array([*unknown, *units], np.float32)


def test_days_change_at_midnight_utc() -> None:
    assert UTC_DAYS.day_of(DAY_MS - 1) == 0
    assert UTC_DAYS.day_of(DAY_MS) == 1


def test_first_day_of_the_epoch_was_a_thursday() -> None:
    assert weekday_of(0) == 3
    assert weekday_of(4) == 0


def test_steady_demand_is_forecast_as_it_is() -> None:
    forecast = empirical_quantiles(days(*[2.0] * HISTORY_DAYS))

    assert forecast[:, MEDIAN].tolist() == [2.0 * n for n in range(1, HORIZON_DAYS + 1)]
    assert forecast[:, -1].tolist() == forecast[:, 0].tolist()


def test_short_history_is_taken_for_poisson_demand() -> None:
    forecast = empirical_quantiles(days(1, 3, 2))

    assert forecast[HORIZON_DAYS - 1, MEDIAN] == pytest.approx(2.0 * HORIZON_DAYS)
    assert forecast[0, -1] == pytest.approx(2.0 + 1.2816 * 2**0.5, abs=1e-3)


def test_product_without_a_known_day_is_forecast_nothing() -> None:
    assert not empirical_quantiles(days()).any()


@given(st.lists(st.integers(0, 50).map(float), max_size=HISTORY_DAYS))
def test_forecast_has_the_models_shape_and_never_falls(units: list[float]) -> None:
    forecast = empirical_quantiles(days(*units))

    assert forecast.shape == (HORIZON_DAYS, len(QUANTILES))
    assert forecast.dtype == np.float32
    assert (forecast >= 0).all()
    assert (np.diff(forecast, axis=0) >= 0).all()
    assert (np.diff(forecast, axis=1) >= 0).all()


# --- Censored days -----------------------------------------------------------------------------


def censored(units: list[float], *places: int) -> list[float]:
    days_sold = np.array(units, np.float32)
    on = np.zeros(len(units), dtype=bool)
    on[list(places)] = True
    return [float(each) for each in filled(days_sold, np.ones_like(on), on)]


def test_censored_day_is_what_ordinary_days_bring_that_sold_as_much() -> None:
    assert censored([2, 4, 6, 5, 0, 9], 3, 4, 5) == [2, 4, 6, 6, 4, 9]


def test_product_that_always_sells_out_is_wanted_at_least_as_it_sold() -> None:
    assert censored([2, 0, 3], 0, 1, 2) == [2, -1, 3]


def test_slow_seller_is_not_wanted_less_for_a_day_without_stock() -> None:
    assert censored([0, 0, 1, 0], 3) == [0, 0, 1, pytest.approx(1 / 3)]


@given(st.floats(0.2, 20), st.integers(1, 6), st.integers(0, 2**32))
def test_days_without_stock_teach_neither_zero_nor_only_the_weak_days(
    rate: float, shelf: int, seed: int
) -> None:
    """Filled every day to so many times the rate, on every third day to a part of it."""
    draw = np.random.default_rng(seed)
    wanted = draw.poisson(rate, 3_000).astype(np.float32)
    there = np.where(np.arange(3_000) % 3 == 0, np.ceil(rate * shelf / 4), 1e9)
    sold = np.minimum(wanted, there).astype(np.float32)
    is_out = wanted >= there

    found = filled(sold, np.ones_like(is_out), is_out)

    assert found.mean() == pytest.approx(wanted.mean(), rel=0.12)


def test_days_on_which_the_store_is_closed_are_forecast_nothing() -> None:
    opening = np.array([True, False] * (HORIZON_DAYS // 2))

    steady = empirical_quantiles(days(*[2.0] * HISTORY_DAYS), opening)
    short = empirical_quantiles(days(2, 2, 2), opening)

    assert steady[:4, MEDIAN].tolist() == [2.0, 2.0, 4.0, 4.0]
    assert short[-1, MEDIAN] == pytest.approx(HORIZON_DAYS)


def test_store_that_opens_late_is_forecast_nothing_until_then() -> None:
    opening = np.arange(HORIZON_DAYS) >= 3

    steady = empirical_quantiles(days(*[2.0] * HISTORY_DAYS), opening)

    assert steady[:4, -1].tolist() == [0.0, 0.0, 0.0, 2.0]
