"""Windows of demand, and what is learnt from those that reach past its end."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from stream.model_specs import QUANTILES
from stream.models.progress import Pace, silent
from stream.models.quantile_fitting import Windows, fit_quantiles
from stream.models.served.forecaster.network import DemandQuantiles

SETTINGS = {
    "history": 8,
    "horizon": 4,
    "n_quantiles": len(QUANTILES),
    "width": 16,
    "season": 5,
    "cumulative": 0,
}
MEDIAN = QUANTILES.index(0.5)


def make_windows(demand: NDArray[np.float32]) -> Windows:
    return Windows(demand, 2, DemandQuantiles(**SETTINGS))


def fitted(demand: NDArray[np.float32], n_steps: int, **settings: int) -> DemandQuantiles:
    pace = Pace("forecaster", n_steps, math.inf, silent)
    return fit_quantiles(demand, 2, {**SETTINGS, **settings}, pace=pace, seed=3)


def test_a_window_is_what_came_before_and_after_its_start() -> None:
    demand = np.arange(40, dtype=np.float32).reshape(2, 20)

    cut = make_windows(demand).cut(np.array([1]), np.array([18]))

    assert cut.demand.tolist() == [[30, 31, 32, 33, 34, 35, 36, 37]]
    assert cut.phase.tolist() == [(2 + 18) % 5]
    assert cut.after.tolist() == [[38, 39, -1, -1]]


def test_products_that_are_too_new_are_left_out() -> None:
    demand = np.ones((2, 20), dtype=np.float32)
    demand[0, :5] = -1

    cut = make_windows(demand).cut(np.array([0, 1]), np.array([18, 18]))

    assert len(cut.demand) == 1


def test_the_latest_window_ends_where_demand_does_also_for_the_new() -> None:
    demand = np.arange(20, dtype=np.float32)[None]

    latest, phase = make_windows(demand).latest()
    short, _ = make_windows(demand[:, :3]).latest()

    assert latest.tolist() == [[12, 13, 14, 15, 16, 17, 18, 19]]
    assert phase.tolist() == [(2 + 20) % 5]
    assert short.tolist() == [[-1] * 5 + [0, 1, 2]]


@pytest.mark.parametrize(("cumulative", "expected"), [(0, [3, 3, 3, 3]), (1, [3, 6, 9, 12])])
def test_steady_demand_is_learnt_for_each_step_or_in_sum(
    cumulative: int, expected: list[float]
) -> None:
    demand = np.full((4, 30), 3, dtype=np.float32)

    network = fitted(demand, 400, width=64, cumulative=cumulative)

    with torch.inference_mode():
        forecast = network(*Windows(demand, 2, network).latest())
    assert forecast[0, :, MEDIAN].tolist() == pytest.approx(expected, rel=0.15)


def test_a_fitted_network_is_asked_without_dropout_and_has_finite_weights() -> None:
    network = fitted(np.ones((3, 20), dtype=np.float32), 3)

    assert not network.training
    assert all(bool(torch.isfinite(weight).all()) for weight in network.parameters())


def test_products_too_new_to_learn_from_leave_a_network_as_it_was_drawn() -> None:
    network = fitted(np.full((3, 20), -1, dtype=np.float32), 2)

    with torch.inference_mode():
        assert bool(torch.isfinite(network(torch.ones(1, 8), torch.zeros(1).long())).all())
