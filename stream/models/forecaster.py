"""Trains the demand forecaster on the daily demand of all products at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stream.model_specs import HISTORY_DAYS, HORIZON_DAYS, QUANTILES
from stream.models.checkpoint import Checkpoint
from stream.models.progress import Pace, Progress, silent
from stream.models.served.forecaster.network import N_WEEKDAYS, DemandQuantiles, scale_of
from stream.models.threads import half_the_cores

SETTINGS: Mapping[str, int] = {
    "history": HISTORY_DAYS,
    "horizon": HORIZON_DAYS,
    "n_quantiles": len(QUANTILES),
    "width": 128,
}
_UNKNOWN = -1.0
_MAX_STEPS = 4_000
_ROWS = 256
_LEARNING_RATE = 2e-3
#: Fewest known days before a forecast that is trained on or validated.
_MIN_KNOWN_DAYS = 14
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
    last_start = n_days - 2 * HORIZON_DAYS
    if last_start < _MIN_KNOWN_DAYS:
        needed = _MIN_KNOWN_DAYS + 2 * HORIZON_DAYS
        raise ValueError(f"expected at least {needed} days of demand, got {n_days}")
    windows = _Windows(demand, first_weekday)
    pace = Pace("forecaster", max_steps, seconds, progress)
    with half_the_cores(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = DemandQuantiles(**SETTINGS)
        fitting = _Fitting(network, windows, last_start, seed=seed)
        fitting.run(pace, checkpoint or Checkpoint(None))
    network.eval()
    draw = np.random.default_rng(seed)
    metrics = {"n_steps": float(pace.n_steps), **_validate(network, windows, draw)}
    return TrainedForecaster(network, SETTINGS, metrics)


class _Windows:
    """Cuts a history and what came after it out of the demand of all products."""

    def __init__(self, demand: NDArray[np.float32], first_weekday: int) -> None:
        unknown = np.full((len(demand), HISTORY_DAYS), _UNKNOWN, dtype=np.float32)
        self._demand = np.concatenate((unknown, demand), axis=1)
        self._first_weekday = first_weekday
        self._known_from = np.argmax(demand >= 0, axis=1)
        self.n_products, self.n_days = demand.shape

    def cut(
        self, products: NDArray[np.int64], starts: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return history, weekday and cumulative demand from day *starts* on.

        Rows with too little history are left out.
        """
        enough = starts - self._known_from[products] >= _MIN_KNOWN_DAYS
        products, starts = products[enough], starts[enough]
        days = starts[:, None] + np.arange(HISTORY_DAYS + HORIZON_DAYS)
        rows = self._demand[products[:, None], days]
        weekday = (self._first_weekday + starts) % N_WEEKDAYS
        after = rows[:, HISTORY_DAYS:].cumsum(axis=1)
        history = torch.from_numpy(rows[:, :HISTORY_DAYS])
        return history, torch.from_numpy(weekday), torch.from_numpy(after)


class _Fitting:
    """One training of *network* on windows that begin on any day up to *last_start*."""

    def __init__(
        self, network: DemandQuantiles, windows: _Windows, last_start: int, *, seed: int
    ) -> None:
        self._network = network
        self._windows = windows
        self._last_start = last_start
        self._draw = np.random.default_rng(seed)
        self._optimizer = torch.optim.AdamW(
            network.parameters(), lr=_LEARNING_RATE, weight_decay=0.01
        )

    def run(self, pace: Pace, checkpoint: Checkpoint) -> None:
        """Train to the end of *pace*, from where *checkpoint* has it."""
        checkpoint.resume(partial(self._resume, pace))
        self._network.train()
        for share in pace:
            checkpoint.keep(partial(self._state, pace))
            for group in self._optimizer.param_groups:
                group["lr"] = _LEARNING_RATE * max(0.02, 1 - share)
            self._step()

    def _step(self) -> None:
        products = self._draw.integers(0, self._windows.n_products, _ROWS)
        starts = self._draw.integers(_MIN_KNOWN_DAYS, self._last_start + 1, _ROWS)
        demand, weekday, after = self._windows.cut(products, starts)
        if not len(demand):
            return
        loss = pinball(self._network(demand, weekday), after) / scale_of(demand)[:, None]
        self._optimizer.zero_grad()
        _by_horizon(loss).mean().backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()

    def _state(self, pace: Pace) -> dict[str, Any]:
        return {
            "network": self._network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "drawn": self._draw.bit_generator.state,
            "n_steps": pace.n_steps,
            "spent_s": pace.spent_s,
        }

    def _resume(self, pace: Pace, state: Mapping[str, Any]) -> None:
        self._network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._draw.bit_generator.state = state["drawn"]
        pace.n_steps, pace.spent_s = state["n_steps"], state["spent_s"]


def pinball(cumulative: Tensor, after: Tensor) -> Tensor:
    """Return the quantile loss, mean over the levels, ``float32[batch, day]``.

    Koenker and Bassett (1978): ``max(q * (y - f), (q - 1) * (y - f))``.
    """
    levels = torch.tensor(QUANTILES, dtype=cumulative.dtype)
    missing = after[:, :, None] - cumulative
    return torch.maximum(levels * missing, (levels - 1) * missing).mean(dim=2)


def _by_horizon(loss: Tensor) -> Tensor:
    """Give near and far days a like weight: the spread of a sum of days grows as their root."""
    return loss / torch.arange(1, HORIZON_DAYS + 1, dtype=loss.dtype).sqrt()


def _validate(
    network: DemandQuantiles, windows: _Windows, draw: np.random.Generator
) -> dict[str, float]:
    products = draw.permutation(windows.n_products)[:_N_VALIDATED]
    starts = np.full(len(products), windows.n_days - HORIZON_DAYS)
    demand, weekday, after = windows.cut(products, starts)
    with torch.inference_mode():
        ours = _by_horizon(pinball(network(demand, weekday), after)).sum()
    empirical = torch.from_numpy(empirical_quantiles(demand.numpy()))
    theirs = _by_horizon(pinball(empirical, after)).sum()
    units = _by_horizon(after).sum().clamp(min=1e-9)
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
