"""``storestream evaluate forecaster``: forecast what was held out, and report beside baselines."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from stream.demo.narration import Narrator
from stream.demo.report import write_report
from stream.evaluation.backtest import backtest
from stream.evaluation.fan import fans
from stream.evaluation.forecast_quality import Forecaster, above, quality_of
from stream.evaluation.forecast_report import Asked, Forecasted, coverage_table, report_of, table
from stream.evaluation.intermittent import CROSTON, TSB, best_tsb, croston, is_installed
from stream.evaluation.our_forecaster import Ours
from stream.evaluation.series import Series, read_series
from stream.evaluation.steady import EMPIRICAL, SeasonalNaive, Zeros, best_empirical

Share = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Chooses a forecaster's settings before what is held out, and tells the share that is done."""

    name: str
    chosen: Callable[[Series, Share], Forecaster]


def run_evaluate_forecaster(asked: Asked, *, report: Path | None) -> int:
    """Evaluate as *asked*, print a table, write *report* and a plot beside it; return 0.

    Raises:
        Misconfigured: The data cannot be read.
    """
    console = Console(highlight=False)
    narrator = Narrator(console, headless=not console.is_terminal)
    with narrator.step("reading", f"Reading {asked.dataset.name}"):
        series = read_series(asked.dataset)
    forecasted: list[Forecasted] = []
    for each in candidates(asked):
        forecasted.append(_measured(narrator, each, series, forecasted[:1]))
    with narrator.step("backtest", "Holding out windows") as update:
        tested = backtest(
            series,
            seed=asked.seed,
            n_steps=asked.n_steps,
            progress=lambda _stage, share: update(share, ""),
        )
    console.print(table(series, forecasted), coverage_table(series, tested))
    if not is_installed():
        console.print("Croston and TSB are left out: they need `pip install statsforecast`.")
    if report is not None:
        write_report(report_of(asked, series, forecasted, tested), report)
        plot = report.with_suffix(".svg")
        plot.write_text(fans(series, forecasted[0].forecast), "utf-8")
        console.print(f"Report: {report}", f"Plot: {plot}", sep="\n", markup=False)
    return 0


def candidates(asked: Asked) -> Sequence[Candidate]:
    """Return what is compared, ours first."""

    def ours(_: Series, update: Share) -> Forecaster:
        def told(_stage: str, share: float) -> None:
            update(share)

        return Ours(seed=asked.seed, n_steps=asked.n_steps, progress=told)

    kept_by_others = (
        Candidate(CROSTON, lambda _series, _update: croston()),
        Candidate(TSB, lambda series, _update: best_tsb(series)),
    )
    return (
        Candidate(Ours.name, ours),
        Candidate(EMPIRICAL, lambda series, _update: best_empirical(series)),
        *(kept_by_others if is_installed() else ()),
        Candidate(Zeros.name, lambda _series, _update: Zeros()),
        Candidate(SeasonalNaive.name, lambda _series, _update: SeasonalNaive()),
    )


def _measured(
    narrator: Narrator, candidate: Candidate, series: Series, ours: Sequence[Forecasted]
) -> Forecasted:
    name, started = candidate.name, time.monotonic()
    with narrator.step(f"forecasting {name}", f"Forecasting: {name}") as update:
        forecaster = candidate.chosen(series, lambda share: update(share, ""))
        forecast = forecaster.forecast(series.known, series.steps)
    seconds = time.monotonic() - started
    first = ours[0].forecast if ours else forecast
    return Forecasted(
        name, seconds, forecast, quality_of(forecast, series), above(forecast, first, series)
    )
