"""What came of an evaluation of forecasts, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from stream.demo.report import machine
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


def report_of(asked: Asked, series: Series, forecasted: Sequence[Forecasted]) -> dict[str, object]:
    """Return the figures, ours on top."""
    ours, steps = forecasted[0].quality, series.steps
    return {
        "wql": ours.wql,
        "wql_interval": ours.wql_interval,
        "mase": ours.mase,
        "forecasters": {each.name: _told(each) for each in forecasted},
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
    headings = ("forecaster", "WQL", "95 %", "above ours, 95 %", "MASE", "P90 held", "took, s")
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
            "{:.1%} to {:.1%}".format(*quality.p90_held),
            f"{each.seconds:,.0f}",
        )
    return found


def _told(forecasted: Forecasted) -> dict[str, object]:
    quality = forecasted.quality
    return {
        "wql": quality.wql,
        "wql_interval": quality.wql_interval,
        "mase": quality.mase,
        "series_with_a_scale": quality.n_scaled,
        "wql_above_ours": forecasted.above_ours,
        "p90_held": quality.p90_held,
        "seconds": round(forecasted.seconds, 1),
    }
