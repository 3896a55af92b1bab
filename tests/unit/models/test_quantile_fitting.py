"""Windows of demand, and what is learnt from those that reach past its end."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from stream.model_specs import QUANTILES
from stream.models.demand_history import DemandHistory, without_sold_out
from stream.models.demand_windows import Windows
from stream.models.progress import Pace, silent
from stream.models.quantile_fitting import fit_quantiles
from stream.models.served.forecaster.network import OPEN, PRICE, DemandQuantiles

SETTINGS = {
    "history": 8,
    "horizon": 4,
    "n_quantiles": len(QUANTILES),
    "width": 16,
    "season": 5,
    "cumulative": 0,
}
MEDIAN = QUANTILES.index(0.5)


def make_windows(demand: NDArray[np.float32], **known: NDArray[Any]) -> Windows:
    return Windows(DemandHistory.of(demand, 2, **known), DemandQuantiles(**SETTINGS))


def fitted(demand: NDArray[np.float32], n_steps: int, **settings: int) -> DemandQuantiles:
    pace = Pace("forecaster", n_steps, math.inf, silent)
    past = DemandHistory.of(demand, 2)
    return fit_quantiles(past, {**SETTINGS, **settings}, pace=pace, seed=3)


def forecast_of(network: DemandQuantiles, demand: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.inference_mode():
        forecast: NDArray[np.float32] = network(
            *Windows(DemandHistory.of(demand, 2), network).latest()
        ).numpy()
    return forecast


def test_a_window_is_what_came_before_and_after_its_start() -> None:
    demand = np.arange(40, dtype=np.float32).reshape(2, 20)

    cut = make_windows(demand).cut(np.array([1]), np.array([18]))

    assert cut.read.demand.tolist() == [[30, 31, 32, 33, 34, 35, 36, 37]]
    assert cut.read.phase.tolist() == [(2 + 18) % 5]
    assert cut.after.tolist() == [[38, 39, -1, -1]]


def test_days_of_a_window_are_those_read_and_those_ahead_and_closed_ones_sell_nothing() -> None:
    is_open = np.ones(20, dtype=bool)
    is_open[[12, 17]] = False
    demand = np.where(is_open, 5, -1).astype(np.float32)[None]
    price = np.zeros((1, 20), dtype=np.float32)
    price[0, 16] = -0.5

    cut = make_windows(demand, is_open=is_open, price=price).cut(np.array([0]), np.array([16]))

    assert cut.read.demand.tolist() == [[5, 5, 5, 5, -1, 5, 5, 5]]
    assert cut.after.tolist() == [[5, 0, 5, 5]]
    assert cut.read.days[0, :, OPEN].tolist() == [1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1]
    assert cut.read.days[0, :, PRICE].tolist() == [0] * 8 + [-0.5, 0, 0, 0]


def test_products_without_a_known_step_are_left_out() -> None:
    demand = np.ones((3, 20), dtype=np.float32)
    demand[0, :18] = -1
    demand[1, :17] = -1

    cut = make_windows(demand).cut(np.arange(3), np.full(3, 18))

    assert cut.rows.tolist() == [1, 2]
    assert len(cut.after) == 2


def test_a_calendar_that_goes_on_is_read_ahead_of_the_end() -> None:
    is_open = np.ones(24, dtype=bool)
    is_open[21] = False

    latest = make_windows(np.ones((2, 20), dtype=np.float32), is_open=is_open).latest()

    assert latest.days[:, -4:, OPEN].tolist() == [[1, 0, 1, 1]] * 2


def test_the_latest_window_ends_where_demand_does_also_for_the_new() -> None:
    demand = np.arange(20, dtype=np.float32)[None]

    latest, phase, _ = make_windows(demand).latest()
    short = make_windows(demand[:, :3]).latest().demand

    assert latest.tolist() == [[12, 13, 14, 15, 16, 17, 18, 19]]
    assert phase.tolist() == [(2 + 20) % 5]
    assert short.tolist() == [[-1] * 5 + [0, 1, 2]]


@pytest.mark.parametrize(("cumulative", "expected"), [(0, [3, 3, 3, 3]), (1, [3, 6, 9, 12])])
def test_steady_demand_is_learnt_for_each_step_or_in_sum(
    cumulative: int, expected: list[float]
) -> None:
    demand = np.full((4, 30), 3, dtype=np.float32)

    network = fitted(demand, 400, width=64, cumulative=cumulative)

    forecast = forecast_of(network, demand)
    assert forecast[0, :, MEDIAN].tolist() == pytest.approx(expected, rel=0.15)


def test_a_fitted_network_is_asked_without_dropout_and_has_finite_weights() -> None:
    network = fitted(np.ones((3, 20), dtype=np.float32), 3)

    assert not network.training
    assert all(bool(torch.isfinite(weight).all()) for weight in network.parameters())


def test_products_too_new_to_learn_from_leave_a_network_as_it_was_drawn() -> None:
    network = fitted(np.full((3, 20), -1, dtype=np.float32), 2)

    with torch.inference_mode():
        answer = network(torch.ones(1, 8), torch.zeros(1).long(), torch.ones(1, 12, 2))
    assert bool(torch.isfinite(answer).all())


def test_a_product_that_is_sold_out_half_the_time_is_forecast_at_its_true_rate() -> None:
    draw = np.random.default_rng(5)
    wanted = draw.poisson(6.0, (64, 120)).astype(np.float32)
    is_sold_out = draw.random(wanted.shape) < 0.5
    sold = np.where(is_sold_out, 0, wanted)

    network = fitted(without_sold_out(sold, is_sold_out), 200, width=32, cumulative=1)

    whole = forecast_of(network, without_sold_out(sold, is_sold_out))
    taught_zero = forecast_of(fitted(sold, 200, width=32, cumulative=1), sold)
    assert whole[:, -1, MEDIAN].mean() == pytest.approx(4 * 6.0, rel=0.1)
    assert taught_zero[:, -1, MEDIAN].mean() < 0.7 * 4 * 6.0
