"""The backtest: what it measures, of which windows, and that what it holds out teaches nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.evaluation.backtest import PLANS, backtest
from stream.evaluation.series import Series
from tests.unit.evaluation.series_files import make_series

N_MONTHS = 60


def make_months(units: NDArray[np.float32]) -> Series:
    return make_series(units, season=12, horizon=12, history=24)


@pytest.fixture(scope="module")
def units() -> NDArray[np.float32]:
    """Return parts of which each sells about as much every month."""
    means = np.random.default_rng(3).uniform(0.3, 9, 300)
    draw = np.random.default_rng(5)
    return draw.poisson(means[:, None], (300, N_MONTHS)).astype(np.float32)


def test_what_sells_as_it_did_is_held_as_often_as_the_level_says(
    units: NDArray[np.float32],
) -> None:
    tested = backtest(make_months(units), seed=1, n_steps=300)

    low, high = tested.headline.p90_interval
    assert tested.origins == tuple(range(N_MONTHS - 12, N_MONTHS))
    assert 0.86 <= tested.headline.p90 <= 0.94
    assert low < tested.headline.p90 < high
    assert list(tested.headline.levels) == sorted(tested.headline.levels)
    assert 0.84 <= tested.new.p90 <= 0.96


def test_a_lead_time_that_reaches_past_the_end_is_no_window(units: NDArray[np.float32]) -> None:
    tested = backtest(make_months(units), seed=1, n_steps=2)

    windows = {lead: held.n_windows for lead, held in tested.by_lead.items()}
    assert windows == {1: 300 * 12, 3: 300 * 10, 12: 300}


def test_what_sells_more_than_ever_is_held_more_seldom(units: NDArray[np.float32]) -> None:
    more = units.copy()
    more[:, -PLANS["month"].n_held :] += 5

    usual, risen = (
        backtest(make_months(each), seed=1, n_steps=60).by_lead[1] for each in (units, more)
    )

    assert risen.p90 < 0.8 * usual.p90
