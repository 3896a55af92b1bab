"""Fits a network of demand quantiles to the demand of all products at once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from stream.model_specs import QUANTILES
from stream.models.checkpoint import Checkpoint
from stream.models.counts import spread
from stream.models.demand_history import DemandHistory
from stream.models.demand_windows import MIN_KNOWN, N_NEW, Read, Windows, newest
from stream.models.progress import Pace
from stream.models.served.forecaster.network import OPEN, PRICE, DemandQuantiles, scale_of
from stream.models.threads import half_the_cores

#: Share of what is trained on that is as if new: such products are few among the windows, and each is
#: of a product that was new at one time only.
_FORGETTING = 0.15
#: Shares that forget all prices, and those ahead: many are asked about without, or without a plan.
_UNPRICED, _UNPLANNED = 0.3, 0.2
_ROWS = 512
_LEARNING_RATE = 2e-3
#: The weights in use are an average over the last steps, about so many; fewer at the beginning.
_N_AVERAGED = 200


def fit_quantiles(
    past: DemandHistory,
    settings: Mapping[str, int],
    *,
    pace: Pace,
    seed: int,
    checkpoint: Checkpoint | None = None,
) -> DemandQuantiles:
    """Return a network of *settings* that was fitted to all of *past*, ready to be asked.

    Raises:
        Misconfigured: The checkpoint is of another network.
    """
    with half_the_cores(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = DemandQuantiles(**settings)
        fitting = _Fitting(network, Windows(past, network), seed=seed)
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
        read, after, _ = self._windows.cut(products, starts)
        if not len(after):
            return
        read = read._replace(demand=self._forgotten(read.demand), days=self._unpriced(read.days))
        loss = self._loss(read, after)
        # Counts spread as the root of their mean: neither large sellers nor small ones decide.
        recent = read.demand[:, -self._network.history :]
        scale = scale_of(recent.clamp(min=0), (recent >= 0).to(after.dtype))
        loss = loss / scale.sqrt()[:, None]
        self._optimizer.zero_grad()
        loss.mean().backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._average.update_parameters(self._network)

    def _forgotten(self, demand: Tensor) -> Tensor:
        """Return *demand* with some rows as if their product were new."""
        n_rows, n_steps = demand.shape
        n_left = self._draw.integers(1, N_NEW + 1, n_rows)
        n_left[self._draw.random(n_rows) >= _FORGETTING] = n_steps
        return newest(demand, n_left)

    def _unpriced(self, days: Tensor) -> Tensor:
        """Return *days* with some rows as if no price were known, and some as if none were planned."""
        drawn = torch.from_numpy(self._draw.random(len(days)))[:, None]
        priced = days.clone()
        priced[:, :, PRICE] *= drawn >= _UNPRICED
        priced[:, self._network.history :, PRICE] *= drawn >= _UNPRICED + _UNPLANNED
        return priced

    def _loss(self, read: Read, after: Tensor) -> Tensor:
        """Return the loss by step; unknown steps count as closed, in the forecast and in what came.

        A sum that left them out alone would be too small; to leave out all that comes after would
        forget what follows a day that sold out, that is, what sells best.
        """
        is_known = (after >= 0).to(after.dtype)
        days = read.days.clone()
        days[:, -after.shape[1] :, OPEN] *= is_known
        forecast = self._network.learnt(read.demand, read.phase, days)
        if not self._network.cumulative:
            return pinball(forecast, spread(after.clamp(min=0))) * is_known
        so_far = after.clamp(min=0).cumsum(dim=1)
        is_before_end = is_known.flip(1).cummax(dim=1).values.flip(1)
        return by_horizon(pinball(forecast, spread(so_far))) * is_before_end

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
