"""What came of an evaluation of forecasts, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from stream.demo.report import machine
from stream.evaluation.backtest import Backtest, Held
from stream.evaluation.forecast_quality import Quality, Quantiles
from stream.evaluation.report import between
from stream.evaluation.series import Series
from stream.model_specs import QUANTILES


@dataclass(frozen=True, slots=True, eq=False)
class Forecasted:
    """A forecaster's answer and its quality over the steps held out, and the seconds it took.

    Attributes:
        above_ours: 95 % interval of how far its WQL is above that of ours.
    """

    name: str
    seconds: float
    forecast: Quantiles
    quality: Quality
    above_ours: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run was told to do.

    Attributes:
        n_steps: Of training, of each network.
    """

    dataset: Path
    seed: int
    n_steps: int


def report_of(
    asked: Asked, series: Series, forecasted: Sequence[Forecasted], tested: Backtest
) -> dict[str, object]:
    """Return the figures, ours on top."""
    ours, steps = forecasted[0].quality, series.steps
    return {
        "p90_held": tested.headline.p90,
        "p90_held_interval": tested.headline.p90_interval,
        "wql": ours.wql,
        "wql_interval": ours.wql_interval,
        "mase": ours.mase,
        "forecasters": {each.name: _told(each) for each in forecasted},
        "backtest": _tested(tested),
        "asked": {
            "dataset": asked.dataset.name,
            "seed": asked.seed,
            "steps": asked.n_steps,
            "quantiles": QUANTILES,
        },
        "data": {
            "sha256": series.sha256,
            "series": len(series.ids),
            "step": steps.name,
            "steps": series.units.shape[1],
            "held_out": steps.horizon,
            "season": steps.season,
        },
        "machine": machine(),
    }


def table(series: Series, forecasted: Sequence[Forecasted]) -> Table:
    """Return the same for people."""
    headings = (
        "forecaster",
        "WQL",
        "95 %",
        "above ours, 95 %",
        "MASE",
        "P90 held, a step",
        "took, s",
    )
    steps = series.steps
    title = (
        f"{len(series.ids):,} series, the last {steps.horizon} {steps.name}s: how many will sell?"
    )
    found = Table(*headings, title=title)
    for each in forecasted:
        quality = each.quality
        found.add_row(
            each.name,
            f"{quality.wql:.4f}",
            between(quality.wql_interval),
            between(each.above_ours) if each is not forecasted[0] else "",
            f"{quality.mase:.4f}",
            f"{quality.held[-1]:.1%}",
            f"{each.seconds:,.0f}",
        )
    return found


def coverage_table(series: Series, tested: Backtest) -> Table:
    """Return how often each quantile held over the lead times, for people."""
    name = series.steps.name
    title = (
        f"{tested.n_series:,} series from {len(tested.origins)} origins in the last "
        f"{tested.plan.n_held} {name}s: how often did the served forecaster's quantiles hold?"
    )
    levels = (f"P{100 * level:.0f}" for level in QUANTILES)
    found = Table(f"lead time, {name}s", *levels, "P90, 95 %", "windows", title=title)
    rows = {str(lead): held for lead, held in tested.by_lead.items()}
    for lead, held in {**rows, f"{tested.plan.lead}, as if new": tested.new}.items():
        shares = (f"{share:.1%}" for share in held.levels)
        low, high = held.p90_interval
        found.add_row(lead, *shares, f"{low:.1%} to {high:.1%}", f"{held.n_windows:,}")
    return found


def _tested(tested: Backtest) -> dict[str, object]:
    return {
        "lead_time": tested.plan.lead,
        "held_out": tested.plan.n_held,
        "origins": tested.origins,
        "series": tested.n_series,
        "lead_times": {str(lead): _held(held) for lead, held in tested.by_lead.items()},
        "as_if_new": _held(tested.new),
    }


def _held(held: Held) -> dict[str, object]:
    return {
        "held": dict(zip(map(str, QUANTILES), held.levels, strict=True)),
        "p90_held_interval": held.p90_interval,
        "windows": held.n_windows,
    }


def _told(forecasted: Forecasted) -> dict[str, object]:
    quality = forecasted.quality
    return {
        "wql": quality.wql,
        "wql_interval": quality.wql_interval,
        "mase": quality.mase,
        "series_with_a_scale": quality.n_scaled,
        "wql_above_ours": forecasted.above_ours,
        "held": dict(zip(map(str, QUANTILES), quality.held, strict=True)),
        "p90_between": quality.p90_between,
        "seconds": round(forecasted.seconds, 1),
    }
