"""``storestream evaluate stock``: would a shop that acts on our alerts have lost fewer sales?"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from stream.demo.narration import Narrator
from stream.demo.report import write_report
from stream.evaluation.our_orders import fitted
from stream.evaluation.shop import Shop, read_shop
from stream.evaluation.stock_bars import bars
from stream.evaluation.stock_report import (
    ASSUMED,
    Asked,
    Replayed,
    conclusions,
    report_of,
    table,
)
from stream.evaluation.stock_trials import (
    LEAD_DAYS,
    LEVELS,
    N_DONE,
    Contest,
    Trials,
)
from stream.models.threads import half_the_cores


def run_evaluate_stock(asked: Asked, *, report: Path | None) -> int:
    """Evaluate as *asked*, print tables, write *report* and a plot beside it; return 0.

    Raises:
        Misconfigured: A data set cannot be read.
        LocalPartMissing: The demo's data is not installed.
    """
    console = Console(highlight=False)
    narrator = Narrator(console, headless=not console.is_terminal)
    shops = []
    for dataset in asked.datasets:
        with narrator.step(f"reading {dataset.name}", f"Reading {dataset.name}"):
            shops.append(read_shop(dataset))
    replayed = [_replayed(narrator, asked, shop) for shop in shops]
    for each in replayed:
        for level in LEVELS:
            console.print(table(each, level))
    for line in (ASSUMED, *conclusions(replayed)):
        console.print(line)
    if report is not None:
        write_report(report_of(asked, replayed), report)
        plot = report.with_suffix(".svg")
        plot.write_text(bars(replayed), "utf-8")
        console.print(f"Report: {report}", f"Plot: {plot}", sep="\n", markup=False)
    return 0


def _replayed(narrator: Narrator, asked: Asked, shop: Shop) -> Replayed:
    name = shop.name
    with narrator.step(f"learning {name}", f"Learning what {name} sells") as update:
        learnt = fitted(
            shop,
            seed=asked.seed,
            n_steps=asked.n_steps,
            progress=lambda _stage, share: update(share, ""),
        )
    contests: list[Contest] = []
    with narrator.step(f"replaying {name}", f"Replaying the last days of {name}") as update:
        told: list[str] = []
        for lead_days in LEAD_DAYS:

            def done(policy: str, lead_days: int = lead_days) -> None:
                told.append(policy)
                update(len(told) / (N_DONE * len(LEAD_DAYS)), f"{policy}, {lead_days} days")

            with half_the_cores():
                contests += Trials(shop, learnt, lead_days).contests(done)
    return Replayed(shop, tuple(contests))
