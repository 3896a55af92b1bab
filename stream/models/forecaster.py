"""Trains the demand forecaster on the daily demand of all products at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from stream.model_specs import HISTORY_DAYS, HORIZON_DAYS, PAST_DAYS, QUANTILES
from stream.models.calibration import calibrate
from stream.models.checkpoint import Checkpoint
from stream.models.counts import held
from stream.models.demand_history import DemandHistory
from stream.models.demand_windows import Windows
from stream.models.progress import Pace, Progress, silent
from stream.models.quantile_fitting import by_horizon, fit_quantiles, pinball
from stream.models.served.forecaster.network import N_WEEKDAYS, PRICE, DemandQuantiles

SETTINGS: Mapping[str, int] = {
    "history": HISTORY_DAYS,
    "past": PAST_DAYS,
    "horizon": HORIZON_DAYS,
    "n_quantiles": len(QUANTILES),
    "width": 128,
    "season": N_WEEKDAYS,
    "cumulative": 1,
}
_MAX_STEPS = 4_000
#: Horizons kept for calibration: a quarter of all steps, but so many at least and at most. What is
#: before is fitted to. Between the forecasts made of them are so many steps: no week, no year.
_FEWEST_HELD, _MOST_HELD, _SHARE_HELD, _EVERY = 1, 2, 0.25, 5
_FEWEST_DAYS = 14 + 2 * HORIZON_DAYS
_N_VALIDATED = 4_000
#: Days ahead for which the metrics tell how often the P90 held: a usual lead time.
_LEAD_DAYS = 7


@dataclass(frozen=True, slots=True)
class TrainedForecaster:
    """A trained network and how well it did on the last days, which it had not seen.

    Attributes:
        metrics: Mean pinball loss over the mean demand, beside the product's own empirical
            quantiles; less is better. And how often the P90 of a week held. No price is told. The
            levels were calibrated by these days, among others.
    """

    network: DemandQuantiles
    settings: Mapping[str, int]
    metrics: Mapping[str, float]


def train_forecaster(
    past: DemandHistory,
    *,
    seconds: float = 30.0,
    max_steps: int = _MAX_STEPS,
    seed: int = 1,
    checkpoint: Checkpoint | None = None,
    progress: Progress = silent,
) -> TrainedForecaster:
    """Return a forecaster; by the last days, which it is not fitted to, it is calibrated.

    Args:
        past: Units a day; the phase of a day is its weekday, Monday 0.
        checkpoint: Written now and then, and gone on from where it is there already.

    Raises:
        ValueError: Too few days to train on and to validate.
        Misconfigured: The checkpoint is of another network.
    """
    n_days = past.units.shape[1]
    if n_days < _FEWEST_DAYS:
        raise ValueError(f"expected at least {_FEWEST_DAYS} days of demand, got {n_days}")
    pace = Pace("forecaster", max_steps, seconds, progress)
    network = fit_calibrated(past, SETTINGS, pace=pace, seed=seed, checkpoint=checkpoint)
    draw = np.random.default_rng(seed)
    metrics = {"n_steps": float(pace.n_steps), **_validate(network, Windows(past, network), draw)}
    return TrainedForecaster(network, SETTINGS, metrics)


def fit_calibrated(
    past: DemandHistory,
    settings: Mapping[str, int],
    *,
    pace: Pace,
    seed: int,
    checkpoint: Checkpoint | None = None,
) -> DemandQuantiles:
    """Return a network fitted to all but the last steps of *past*, and calibrated by those.

    Raises:
        Misconfigured: The checkpoint is of another network.
    """
    n_steps, horizon = past.units.shape[1], settings["horizon"]
    n_held = int(np.clip(_SHARE_HELD * n_steps, _FEWEST_HELD * horizon, _MOST_HELD * horizon))
    fitted = past.until(n_steps - n_held)
    network = fit_quantiles(fitted, settings, pace=pace, seed=seed, checkpoint=checkpoint)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        calibrate(network, Windows(past, network), range(n_steps - n_held, n_steps, _EVERY))
    return network


def _validate(
    network: DemandQuantiles, windows: Windows, draw: np.random.Generator
) -> dict[str, float]:
    products = draw.permutation(windows.n_products)[:_N_VALIDATED]
    starts = np.full(len(products), windows.n_steps - HORIZON_DAYS)
    read, after, _ = windows.cut(products, starts)
    read.days[:, :, PRICE] = 0
    known = after.clamp(min=0) * (is_known := (after >= 0).to(after.dtype))
    so_far, counted = known.cumsum(dim=1), is_known.cumprod(dim=1)
    with torch.inference_mode():
        ours = network(*read)
    empirical = torch.from_numpy(empirical_quantiles(read.demand.numpy()[:, -HISTORY_DAYS:]))
    units = (by_horizon(so_far) * counted).sum().clamp(min=1e-9)
    week = held(ours.numpy()[:, _LEAD_DAYS - 1], so_far.numpy()[:, _LEAD_DAYS - 1])
    return {
        "n_validated": float(len(after)),
        "pinball": float((by_horizon(pinball(ours, so_far)) * counted).sum() / units),
        "pinball_empirical": float(
            (by_horizon(pinball(empirical, so_far)) * counted).sum() / units
        ),
        "p90_held": float(week[:, -1].mean()),
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
