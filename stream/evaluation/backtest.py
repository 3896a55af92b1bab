"""How often the served forecaster's quantiles held over the lead times of windows held out.

It is trained and calibrated as ``storestream train`` does it, once, on what is before the first
window, and asked from several origins: what is known by then is read, what is learnt stays, as in a
worker. A lead time is a sum of steps, as a planner needs it; its count is held with a probability
where it ties with a quantile, see ``stream.models.counts``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from stream.evaluation.series import Series, Steps
from stream.model_specs import QUANTILES
from stream.models.counts import held
from stream.models.demand_windows import Windows, as_if_new
from stream.models.forecaster import SETTINGS, fit_calibrated
from stream.models.progress import Pace, Progress, silent
from stream.models.served.forecaster.network import OPEN, DemandQuantiles

_N_RESAMPLED, _SEED = 1_000, 1

Shares = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which windows are held out.

    Attributes:
        n_held: Last steps, which are not trained on.
        every: Steps between origins; no season, so that they begin in each phase of it.
        leads: Lead times in steps.
        lead: The one that stands on top of the report.
        n_selling: Steps on which a series sold before, at least.
    """

    n_held: int
    every: int
    leads: tuple[int, ...]
    lead: int
    n_selling: int


PLANS: Mapping[str, Plan] = {
    "day": Plan(n_held=56, every=6, leads=(3, 7, 14), lead=7, n_selling=30),
    "month": Plan(n_held=12, every=1, leads=(1, 3, 12), lead=3, n_selling=0),
}


@dataclass(frozen=True, slots=True)
class Held:
    """How often what came was no more than each quantile.

    Attributes:
        levels: Share of windows by level of ``QUANTILES``; of a calibrated forecaster the level.
        p90_interval: 95 % interval of the last, by bootstrap over series and over origins: what
            sells in one week sells together, so that few weeks say less than many series seem to.
        n_windows: Series and origins of which it is known what came.
    """

    levels: tuple[float, ...]
    p90_interval: tuple[float, float]
    n_windows: int

    @property
    def p90(self) -> float:
        return self.levels[-1]


@dataclass(frozen=True, slots=True)
class Backtest:
    """What was held by lead time, and by the plan's of products as if they were new."""

    plan: Plan
    origins: tuple[int, ...]
    n_series: int
    by_lead: Mapping[int, Held]
    new: Held

    @property
    def headline(self) -> Held:
        return self.by_lead[self.plan.lead]


def backtest(series: Series, *, seed: int, n_steps: int, progress: Progress = silent) -> Backtest:
    """Train on what is before the last steps, and compare with what came in them.

    Args:
        n_steps: Of training: it does not end by the clock, so that a seed has one answer.
    """
    steps, plan = series.steps, PLANS[series.steps.name]
    begin = series.units.shape[1] - plan.n_held
    chosen = series.units[(series.units[:, :begin] > 0).sum(axis=1) >= plan.n_selling]
    past = steps.past(chosen)
    pace = Pace("backtest", n_steps, math.inf, progress)
    network = fit_calibrated(past.until(begin), served_settings(steps), pace=pace, seed=seed)
    windows = Windows(past, network)
    origins = tuple(range(begin, past.units.shape[1], plan.every))
    told = [_told(network, windows, origin) for origin in origins]
    new = [_told(network, windows, origin, is_new=True) for origin in origins]
    by_lead = {lead: _held(told, lead) for lead in plan.leads}
    return Backtest(plan, origins, len(chosen), by_lead, _held(new, plan.lead))


def served_settings(steps: Steps) -> Mapping[str, int]:
    """Return the settings of the served network, but for what the data says itself."""
    return {
        **SETTINGS,
        "history": steps.history,
        "past": steps.n_past,
        "horizon": steps.horizon,
        "season": steps.season,
    }


@torch.inference_mode()
def _told(
    network: DemandQuantiles, windows: Windows, origin: int, *, is_new: bool = False
) -> Shares:
    """Return what is held from *origin*, ``float64[series, step, quantile]``; NaN where unknown.

    Args:
        is_new: Ask as if each product were new.
    """
    everyone = np.arange(windows.n_products)
    read, after, rows = windows.cut(everyone, np.full(windows.n_products, origin))
    if is_new:
        read = as_if_new(read, seed=origin)
    came = after.clamp(min=0).cumsum(dim=1)
    is_counted = (after >= 0).cumprod(dim=1) > 0
    is_counted &= read.days[:, -network.horizon :, OPEN].cumsum(dim=1) > 0
    shares = held(network(*read).numpy(), came.numpy())
    told = np.full((windows.n_products, *shares.shape[1:]), np.nan)
    told[rows] = np.where(is_counted.numpy()[:, :, None], shares, np.nan)
    return told


def _held(told: list[Shares], lead: int) -> Held:
    shares = np.stack([each[:, lead - 1] for each in told], axis=1)
    is_known = np.isfinite(shares[:, :, -1])
    levels = tuple(float(shares[:, :, at][is_known].mean()) for at in range(len(QUANTILES)))
    return Held(levels, _interval(shares[:, :, -1], is_known), int(is_known.sum()))


def _interval(shares: Shares, is_known: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the 95 % interval of the mean, rows and columns drawn independently.

    The pigeonhole bootstrap: Owen (2007), "The Pigeonhole Bootstrap", section 3.
    """
    draw = np.random.default_rng(_SEED)
    shares, is_known = shares[:, is_known.any(axis=0)], is_known[:, is_known.any(axis=0)]
    known, counted = np.where(is_known, shares, 0.0), is_known.astype(float)
    n_rows, n_columns = shares.shape
    means = []
    for _ in range(_N_RESAMPLED):
        rows = np.bincount(draw.integers(0, n_rows, n_rows), minlength=n_rows)
        columns = np.bincount(draw.integers(0, n_columns, n_columns), minlength=n_columns)
        means.append((rows @ known @ columns) / max(rows @ counted @ columns, 1e-9))
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
