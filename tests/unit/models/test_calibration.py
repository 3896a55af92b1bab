"""Levels move to where windows that were not fitted to had them, and never cross."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from stream.model_specs import QUANTILES
from stream.models.calibration import calibrate
from stream.models.counts import held
from stream.models.demand_history import DemandHistory
from stream.models.demand_windows import Windows, as_if_new
from stream.models.served.forecaster.network import PRICE, DemandQuantiles

SETTINGS = {"history": 8, "horizon": 4, "n_quantiles": len(QUANTILES), "width": 8, "season": 7}
N_DAYS = 60


class TooNarrow(DemandQuantiles):
    """A network that says what a Poisson demand of 100 units a day has, with half of its spread."""

    #: What the spread of products that are hardly known is of that.
    of_new = 1.0

    def forward(
        self, demand: torch.Tensor, phase: torch.Tensor, days: torch.Tensor
    ) -> torch.Tensor:
        n_days = torch.arange(1, self.horizon + 1)[None, :, None]
        scores = torch.special.ndtri(torch.tensor(QUANTILES))
        share_known = (demand >= 0).float().mean(dim=1)[:, None, None]
        spread = scores * (100 * n_days).sqrt() / 2
        answer = 100 * n_days + spread * torch.where(share_known < 1, self.of_new, 1.0)
        open_ahead = torch.ones(len(demand), self.horizon)
        return self._rising(self._calibrated(answer, open_ahead, share_known))


@pytest.fixture
def windows() -> Windows:
    units = np.random.default_rng(2).poisson(100.0, (400, N_DAYS)).astype(np.float32)
    return Windows(DemandHistory.of(units, 0), DemandQuantiles(**SETTINGS))


def shares_of(
    network: DemandQuantiles, windows: Windows, start: int, *, is_new: bool = False
) -> NDArray[np.float64]:
    read, after, _ = windows.cut(np.arange(400), np.full(400, start))
    read = as_if_new(read, seed=1) if is_new else read
    with torch.inference_mode():
        forecast = network(*read).numpy()
    shares: NDArray[np.float64] = held(forecast, after.cumsum(dim=1).numpy()).mean(axis=0)
    return shares


def test_a_forecast_that_is_too_narrow_is_widened_to_what_came(windows: Windows) -> None:
    network = TooNarrow(**SETTINGS).eval()
    before = shares_of(network, windows, 50)[:, -1]
    torch.manual_seed(1)

    calibrate(network, windows, range(10, 40, 5))

    after = shares_of(network, windows, 50)[:, -1]
    assert bool((before < 0.8).all())
    assert after.tolist() == pytest.approx([0.9] * 4, abs=0.04)


def test_new_products_have_levels_of_their_own() -> None:
    """Here they are right as they are; were they moved as others are, they would be far too wide."""
    long = {**SETTINGS, "history": 60}
    units = np.random.default_rng(2).poisson(100.0, (400, 140)).astype(np.float32)
    network = TooNarrow(**long).eval()
    network.of_new = 2.0
    windows = Windows(DemandHistory.of(units, 0), network)
    torch.manual_seed(1)

    calibrate(network, windows, range(70, 120, 5))

    known = shares_of(network, windows, 130)
    new = shares_of(network, windows, 130, is_new=True)
    assert known[:, -1].tolist() == pytest.approx([0.9] * 4, abs=0.04)
    assert new[:, 0].tolist() == pytest.approx([0.1] * 4, abs=0.04)
    assert new[:, -1].tolist() == pytest.approx([0.9] * 4, abs=0.04)


def test_calibrated_quantiles_never_fall_along_either_axis(windows: Windows) -> None:
    network = TooNarrow(**SETTINGS).eval()
    calibrate(network, windows, range(10, 40, 5))

    with torch.inference_mode():
        forecast = network(*windows.latest())

    assert bool((forecast.diff(dim=1) >= 0).all())
    assert bool((forecast.diff(dim=2) >= 0).all())


@pytest.mark.parametrize("n_products", [1, 3])
def test_few_products_move_little(windows: Windows, n_products: int) -> None:
    """A quantile of few is in the middle of them, whatever its level."""
    few = np.random.default_rng(5).poisson(100.0, (n_products, N_DAYS)).astype(np.float32)
    network = TooNarrow(**SETTINGS).eval()
    before = shares_of(network, windows, 50)

    calibrate(network, Windows(DemandHistory.of(few, 0), network), range(10, 40, 5))

    after = shares_of(network, windows, 50)
    assert bool((after[:, -1] > before[:, -1] - 0.02).all())
    assert bool((after[:, 0] < before[:, 0] + 0.02).all())


def test_prices_of_the_windows_are_not_told(windows: Windows) -> None:
    """They are those that were paid then; who asks does not know them."""
    units = np.full((40, N_DAYS), 5, dtype=np.float32)
    priced = DemandHistory.of(units, 0, price=np.full_like(units, -0.7))
    asked: list[torch.Tensor] = []

    class Asked(TooNarrow):
        def forward(
            self, demand: torch.Tensor, phase: torch.Tensor, days: torch.Tensor
        ) -> torch.Tensor:
            asked.append(days.clone())
            return super().forward(demand, phase, days)

    network = Asked(**SETTINGS).eval()

    calibrate(network, Windows(priced, network), range(10, 40, 5))

    assert len(asked) == 2 * 6  # as they are, and as if new
    assert not any(days[:, :, PRICE].any() for days in asked)


def test_without_windows_nothing_is_moved(windows: Windows) -> None:
    network = TooNarrow(**SETTINGS).eval()

    calibrate(network, windows, [N_DAYS])

    assert torch.allclose(network.levels, torch.eye(len(QUANTILES)).expand_as(network.levels))
