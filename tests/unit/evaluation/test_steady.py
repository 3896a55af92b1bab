from __future__ import annotations

import numpy as np
import pytest

from stream.evaluation.intermittent import best_tsb, croston
from stream.evaluation.steady import Empirical, SeasonalNaive, best_empirical
from tests.unit.evaluation.series_files import make_series

MEDIAN = 4


def test_the_seasonal_naive_repeats_the_last_known_step_of_each_phase() -> None:
    known = np.array([[9, 1, 2, 3, 4, 5, -1, 7, 8], [-1] * 9])
    steps = make_series(known, horizon=6).steps

    forecast = SeasonalNaive().forecast(known.astype(np.float32), steps)

    assert forecast[0, :, 0].tolist() == [5, 2, 7, 8, 5, 2]
    assert not forecast[1].any()
    assert bool((forecast == forecast[:, :, :1]).all())


def test_empirical_quantiles_are_of_the_known_steps_of_late() -> None:
    known = np.array([[99, 0, 1, -1, 2], [-1] * 5], dtype=np.float32)
    steps = make_series(known).steps

    forecast = Empirical(4).forecast(known, steps)

    assert forecast[0, :, MEDIAN].tolist() == [1] * 4
    assert forecast[0, 3].tolist() == pytest.approx([0.2 * each for each in range(1, 10)])
    assert not forecast[1].any()


def test_the_span_that_did_best_before_what_is_held_out_is_taken() -> None:
    jumped = np.repeat([[0, 0, 5, 5, 0]], 4, axis=1)

    assert best_empirical(make_series(jumped)).n_steps == 4


def test_croston_and_tsb_forecast_steady_demand_as_it_is() -> None:
    pytest.importorskip("statsforecast")
    units = np.tile([[0, 0, 0, 0, 0], [2, 2, 2, 2, 2]], 4)
    series = make_series(units)

    forecasters = croston(), best_tsb(series)

    assert [each.name for each in forecasters] == ["Croston", "TSB"]
    for each in forecasters:
        forecast = each.forecast(series.known, series.steps)
        assert forecast.shape == (2, 4, 9)
        assert not forecast[0].any()
        assert forecast[1].ravel().tolist() == pytest.approx([2.0] * 36)
