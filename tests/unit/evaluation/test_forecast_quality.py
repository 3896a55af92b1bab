"""The figures, against ones computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from stream.evaluation.forecast_quality import above, losses_of, quality_of
from stream.evaluation.steady import Zeros, at_every_level
from tests.unit.evaluation.series_files import make_series

#: Two series over two seasons of four, then four steps held out.
UNITS = np.array([[0, 2, 0, 0, 4, 0, 0, 0, 1, 0, 0, 3], [1, 1, 1, 1, 1, 1, 1, 1, 2, -1, 0, 0]])


def test_the_loss_is_twice_the_pinball_at_the_mean_level() -> None:
    # Too low by 3: 2 * mean(q) * 3; too high by 1: 2 * mean(1 - q) * 1; the mean level is a half.
    low, high = np.array([[4.0]], dtype=np.float32), np.array([[0.0]], dtype=np.float32)
    forecast = at_every_level(np.ones((1, 1), dtype=np.float32))

    assert losses_of(forecast, low).tolist() == pytest.approx([3.0])
    assert losses_of(forecast, high).tolist() == pytest.approx([1.0])


def test_each_level_is_charged_by_itself() -> None:
    forecast = np.arange(1, 10, dtype=np.float32)[None, None]

    [loss] = losses_of(forecast, np.full((1, 1), 5, dtype=np.float32))

    below = sum(q * (5 - f) for q, f in zip((0.1, 0.2, 0.3, 0.4), range(1, 5), strict=True))
    above = sum((1 - q) * (f - 5) for q, f in zip((0.6, 0.7, 0.8, 0.9), range(6, 10), strict=True))
    assert loss == pytest.approx(2 * (below + above) / 9)


def test_all_zeros_have_a_weighted_quantile_loss_of_one() -> None:
    series = make_series(UNITS)

    quality = quality_of(Zeros().forecast(series.known, series.steps), series)

    assert quality.wql == pytest.approx(1.0)
    assert quality.wql_interval == pytest.approx((1.0, 1.0))


def test_series_count_by_what_they_sold_and_unknown_steps_not_at_all() -> None:
    series = make_series(UNITS)
    forecast = at_every_level(np.array([[0, 0, 0, 0], [1, 1, 1, 1]], dtype=np.float32))

    # Off by 1 and 3 of 4 units; off by 1, 1 and 1 of 2: the second step is unknown.
    assert quality_of(forecast, series).wql == pytest.approx((4 + 3) / (4 + 2))


def test_the_scaled_error_leaves_out_series_without_a_scale() -> None:
    series = make_series(UNITS)
    forecast = at_every_level(np.zeros((2, 4), dtype=np.float32))

    quality = quality_of(forecast, series)

    # Of the first: mean error 4/4, to that of the season before, (4 + 2) / 4.
    assert quality.mase == pytest.approx(1 / 1.5)
    assert quality.n_scaled == 1


def test_what_ties_with_the_p90_is_between_the_two_shares() -> None:
    series = make_series(UNITS)
    forecast = at_every_level(np.array([[1, 1, 1, 1], [0, 0, 0, 1]], dtype=np.float32))

    # Above: two zeros and one zero; equal: 1 and 0; below: 3 and 2; one is unknown.
    assert quality_of(forecast, series).p90_between == pytest.approx((3 / 7, 5 / 7))


def test_the_interval_holds_the_figure() -> None:
    units = np.random.default_rng(3).poisson(2.0, (50, 12))
    series = make_series(units)

    quality = quality_of(at_every_level(np.ones((50, 4), dtype=np.float32)), series)

    low, high = quality.wql_interval
    assert low < quality.wql < high


def test_a_forecast_that_is_worse_on_every_series_is_above_ours_for_sure() -> None:
    series = make_series(np.random.default_rng(3).poisson(2.0, (50, 12)))
    ours = at_every_level(series.actual)
    worse = ours + 1

    low, high = above(worse, ours, series)

    assert 0 < low < high
    assert above(ours, ours, series) == (0, 0)
