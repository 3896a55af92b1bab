"""Trains the demand forecaster on the daily demand of all products at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from stream.model_specs import HISTORY_DAYS, HORIZON_DAYS, QUANTILES
from stream.models.checkpoint import Checkpoint
from stream.models.progress import Pace, Progress, silent
from stream.models.quantile_fitting import MIN_KNOWN, Windows, by_horizon, fit_quantiles, pinball
from stream.models.served.forecaster.network import N_WEEKDAYS, DemandQuantiles

SETTINGS: Mapping[str, int] = {
    "history": HISTORY_DAYS,
    "horizon": HORIZON_DAYS,
    "n_quantiles": len(QUANTILES),
    "width": 128,
    "season": N_WEEKDAYS,
    "cumulative": 1,
}
_MAX_STEPS = 4_000
_N_VALIDATED = 4_000


@dataclass(frozen=True, slots=True)
class TrainedForecaster:
    """A trained network and how well it did on the last days, which it had not seen.

    Attributes:
        metrics: Mean pinball loss over the mean demand, beside the product's own empirical
            quantiles; less is better.
    """

    network: DemandQuantiles
    settings: Mapping[str, int]
    metrics: Mapping[str, float]


def train_forecaster(
    demand: NDArray[np.float32],
    first_weekday: int,
    *,
    seconds: float = 30.0,
    max_steps: int = _MAX_STEPS,
    seed: int = 1,
    checkpoint: Checkpoint | None = None,
    progress: Progress = silent,
) -> TrainedForecaster:
    """Return a forecaster; the last ``HORIZON_DAYS`` are kept for validation.

    Args:
        demand: ``float32[product, day]``, units a day, -1 before the product was known.
        first_weekday: Weekday of the first day, Monday 0.
        checkpoint: Written now and then, and gone on from where it is there already.

    Raises:
        ValueError: Too few days to train on and to validate.
        Misconfigured: The checkpoint is of another network.
    """
    n_days = demand.shape[1]
    needed = MIN_KNOWN + 2 * HORIZON_DAYS
    if n_days < needed:
        raise ValueError(f"expected at least {needed} days of demand, got {n_days}")
    pace = Pace("forecaster", max_steps, seconds, progress)
    before = demand[:, :-HORIZON_DAYS]
    network = fit_quantiles(
        before, first_weekday, SETTINGS, pace=pace, seed=seed, checkpoint=checkpoint
    )
    windows = Windows(demand, first_weekday, network)
    draw = np.random.default_rng(seed)
    metrics = {"n_steps": float(pace.n_steps), **_validate(network, windows, draw)}
    return TrainedForecaster(network, SETTINGS, metrics)


def _validate(
    network: DemandQuantiles, windows: Windows, draw: np.random.Generator
) -> dict[str, float]:
    products = draw.permutation(windows.n_products)[:_N_VALIDATED]
    starts = np.full(len(products), windows.n_steps - HORIZON_DAYS)
    demand, weekday, after = windows.cut(products, starts)
    so_far = after.cumsum(dim=1)
    with torch.inference_mode():
        ours = by_horizon(pinball(network(demand, weekday), so_far)).sum()
    empirical = torch.from_numpy(empirical_quantiles(demand.numpy()))
    theirs = by_horizon(pinball(empirical, so_far)).sum()
    units = by_horizon(so_far).sum().clamp(min=1e-9)
    return {
        "n_validated": float(len(demand)),
        "pinball": float(ours / units),
        "pinball_empirical": float(theirs / units),
    }


def empirical_quantiles(demand: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return quantiles of the sums of 1, 2, … successive known days of each product.

    Args:
        demand: ``float32[product, HISTORY_DAYS]``, negative where unknown.

    Returns:
        ``float32[product, HORIZON_DAYS, quantile]``; the baseline that the network must beat.
    """
    totals = np.where(demand < 0, np.nan, demand).cumsum(axis=1)
    totals = np.concatenate((np.zeros((len(demand), 1)), np.nan_to_num(totals)), axis=1)
    answer = np.empty((len(demand), HORIZON_DAYS, len(QUANTILES)), dtype=np.float32)
    for n_days in range(1, HORIZON_DAYS + 1):
        sums = totals[:, n_days:] - totals[:, :-n_days]
        answer[:, n_days - 1] = np.quantile(sums, QUANTILES, axis=1).T
    return answer
