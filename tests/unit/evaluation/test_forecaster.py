"""The command's work: forecasts from what is known alone, and a report of how good they were."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stream.evaluation.forecast_report import Asked
from stream.evaluation.forecaster import run_evaluate_forecaster
from stream.evaluation.intermittent import is_installed
from stream.evaluation.our_forecaster import Ours
from stream.evaluation.series import read_series
from tests.unit.evaluation.series_files import make_series, monthly_file

N_STEPS = 40
N_MONTHS = 48


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Write parts of which each sells about as much every month."""
    draw = np.random.default_rng(5)
    units = {f"part-{at}": draw.poisson(2.0 + at % 5, N_MONTHS) for at in range(120)}
    return monthly_file(tmp_path, {part: each.tolist() for part, each in units.items()})


def test_ours_is_reported_on_top_beside_honest_baselines(dataset: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"

    code = run_evaluate_forecaster(Asked(dataset, seed=1, n_steps=N_STEPS), report=report)

    told = json.loads(report.read_text())
    names = ["storestream", "empirical quantiles", "all zeros", "seasonal naive"]
    if is_installed():
        names[2:2] = ["Croston", "TSB"]
    assert code == 0
    assert [*told["forecasters"]] == names
    assert told["wql"] == told["forecasters"]["storestream"]["wql"]
    assert told["wql"] < 0.9
    assert told["forecasters"]["all zeros"]["wql"] == pytest.approx(1.0)
    assert told["data"]["series"] == 120
    assert report.with_suffix(".svg").read_text().count("<g ") == 4


def test_what_is_held_out_changes_no_forecast(dataset: Path) -> None:
    series = read_series(dataset)
    other = series.units.copy()
    other[:, -series.steps.horizon :] += 7
    changed = make_series(other, season=12, horizon=12, history=24)

    one, again = (
        Ours(seed=4, n_steps=8).forecast(each.known, each.steps) for each in (series, changed)
    )

    assert changed.steps == series.steps
    assert not np.array_equal(series.actual, changed.actual)
    assert np.array_equal(one, again)


def test_a_forecast_is_whole_units_that_never_cross(dataset: Path) -> None:
    series = read_series(dataset)

    forecast = Ours(n_steps=8).forecast(series.known, series.steps)

    assert forecast.shape == (120, 12, 9)
    assert np.array_equal(forecast, np.rint(forecast))
    assert bool((np.diff(forecast, axis=2) >= 0).all())


def test_seeds_differ(dataset: Path) -> None:
    series = read_series(dataset)

    one, other = (
        Ours(seed=seed, n_steps=20).forecast(series.known, series.steps) for seed in (1, 2)
    )

    assert not np.array_equal(one, other)
