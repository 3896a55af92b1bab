"""Fits a network of demand quantiles to the demand of all products at once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from stream.model_specs import QUANTILES
from stream.models.checkpoint import Checkpoint
from stream.models.progress import Pace
from stream.models.served.forecaster.network import DemandQuantiles, scale_of
from stream.models.threads import half_the_cores

#: Fewest steps since a product became known before a forecast that is trained on or validated.
MIN_KNOWN = 14
_UNKNOWN = -1.0
_ROWS = 512
_LEARNING_RATE = 2e-3
#: The weights in use are an average over the last steps, about so many; fewer at the beginning.
_N_AVERAGED = 200

Demand = NDArray[np.float32]
Indices = NDArray[np.int64]


class Cut(NamedTuple):
    """What some products sold before some steps, and after.

    Attributes:
        demand: ``float32[row, history]``, -1 where unknown.
        phase: ``int64[row]``, of the first step ahead.
        after: ``float32[row, horizon]``, -1 where unknown.
    """

    demand: Tensor
    phase: Tensor
    after: Tensor


class Windows:
    """Cuts a history and what came after it out of the demand of all products.

    Args:
        demand: ``float32[product, step]``, -1 where unknown.
        first_phase: Of the first step.
    """

    def __init__(self, demand: Demand, first_phase: int, network: DemandQuantiles) -> None:
        self._history, self._horizon = network.history, network.horizon
        self._first_phase, self._season = first_phase, network.season
        self._known_from = np.argmax(demand >= 0, axis=1)
        widths = ((0, 0), (self._history, self._horizon))
        self._demand = np.pad(demand, widths, constant_values=_UNKNOWN)
        self.n_products, self.n_steps = demand.shape

    def cut(self, products: Indices, starts: Indices) -> Cut:
        """Return what came before and after the beginning of *starts*.

        Rows with too little history are left out; what comes after the last step is unknown.
        """
        enough = starts - self._known_from[products] >= MIN_KNOWN
        products, starts = products[enough], starts[enough]
        steps = starts[:, None] + np.arange(self._history + self._horizon)
        rows = torch.from_numpy(self._demand[products[:, None], steps])
        phase = torch.from_numpy((self._first_phase + starts) % self._season)
        return Cut(rows[:, : self._history], phase, rows[:, self._history :])

    def latest(self) -> tuple[Tensor, Tensor]:
        """Return what a forecast from the end is made from: demand and phase of all products."""
        rows = self._demand[:, self.n_steps : self.n_steps + self._history]
        phase = (self._first_phase + self.n_steps) % self._season
        return torch.from_numpy(rows), torch.full((self.n_products,), phase)


def fit_quantiles(
    demand: Demand,
    first_phase: int,
    settings: Mapping[str, int],
    *,
    pace: Pace,
    seed: int,
    checkpoint: Checkpoint | None = None,
) -> DemandQuantiles:
    """Return a network of *settings* that was fitted to all of *demand*, ready to be asked.

    Args:
        demand: ``float32[product, step]``, units a step, -1 where unknown.
        first_phase: Phase of the first step in its season.

    Raises:
        Misconfigured: The checkpoint is of another network.
    """
    with half_the_cores(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = DemandQuantiles(**settings)
        fitting = _Fitting(network, Windows(demand, first_phase, network), seed=seed)
        fitting.run(pace, checkpoint or Checkpoint(None))
    return fitting.averaged.eval()


class _Fitting:
    """One training of *network* on windows that begin on any step.

    Those near the end learn from what is left of their horizon: it is what sold last.
    """

    def __init__(self, network: DemandQuantiles, windows: Windows, *, seed: int) -> None:
        self._network = network
        self._average = AveragedModel(network, avg_fn=_moved)
        self._windows = windows
        self._draw = np.random.default_rng(seed)
        self._optimizer = torch.optim.AdamW(
            network.parameters(), lr=_LEARNING_RATE, weight_decay=0.01
        )

    @property
    def averaged(self) -> DemandQuantiles:
        return cast("DemandQuantiles", self._average.module)

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
        starts = self._draw.integers(MIN_KNOWN, self._windows.n_steps, _ROWS)
        demand, phase, after = self._windows.cut(products, starts)
        if not len(demand):
            return
        loss = self._loss(self._network(demand, phase), after)
        # Counts spread as the root of their mean: neither large sellers nor small ones decide.
        loss = loss / scale_of(demand).sqrt()[:, None]
        self._optimizer.zero_grad()
        loss.mean().backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._average.update_parameters(self._network)

    def _loss(self, forecast: Tensor, after: Tensor) -> Tensor:
        is_known = (after >= 0).to(after.dtype)
        if not self._network.cumulative:
            return pinball(forecast, after) * is_known
        so_far = after.clamp(min=0).cumsum(dim=1)
        return by_horizon(pinball(forecast, so_far)) * is_known.cumprod(dim=1)

    def _state(self, pace: Pace) -> dict[str, Any]:
        return {
            "network": self._network.state_dict(),
            "average": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "drawn": self._draw.bit_generator.state,
            "n_steps": pace.n_steps,
            "spent_s": pace.spent_s,
        }

    def _resume(self, pace: Pace, state: Mapping[str, Any]) -> None:
        self._network.load_state_dict(state["network"])
        self._average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        self._draw.bit_generator.state = state["drawn"]
        pace.n_steps, pace.spent_s = state["n_steps"], state["spent_s"]


def _moved(average: Tensor, weight: Tensor, n_before: Tensor | int) -> Tensor:
    """Return *average*, moved the more towards *weight* the fewer steps there were before."""
    return average.lerp(weight, max(1 / _N_AVERAGED, 10 / (int(n_before) + 10)))


def pinball(forecast: Tensor, after: Tensor) -> Tensor:
    """Return the quantile loss, mean over the levels, ``float32[batch, step]``.

    Koenker and Bassett (1978): ``max(q * (y - f), (q - 1) * (y - f))``.
    """
    levels = torch.tensor(QUANTILES, dtype=forecast.dtype)
    missing = after[:, :, None] - forecast
    return torch.maximum(levels * missing, (levels - 1) * missing).mean(dim=2)


def by_horizon(loss: Tensor) -> Tensor:
    """Give near and far steps a like weight: the spread of a sum of steps grows as their root."""
    return loss / torch.arange(1, loss.shape[1] + 1, dtype=loss.dtype).sqrt()
