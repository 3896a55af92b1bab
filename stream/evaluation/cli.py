"""The commands ``storestream evaluate``; like ``cli.py`` it only parses, and imports late."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="How good are the models on data they have not seen?", no_args_is_help=True)


@app.callback()
def evaluate() -> None:
    """Have a command of its own for each model, also while there is one."""


class Protocol(StrEnum):
    """What is hidden, and asked for."""

    LEAVE_ONE_OUT = "leave-one-out"
    BY_TIME = "by-time"


@app.command("recommender")
def recommender(
    dataset: Annotated[
        Path, typer.Option(help="Parquet with user_id, pos, item_id; or demo, for its real orders.")
    ],
    report: Annotated[Path | None, typer.Option(help="Write the figures to this file.")] = None,
    protocol: Annotated[
        Protocol | None,
        typer.Option(help="What is asked: of a file the former, of demo the latter."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the training.")] = 1,
    minutes: Annotated[float, typer.Option(min=0.05, max=600, help="Of training.")] = 55,
    ablations: Annotated[
        bool, typer.Option("--ablations", help="Ours without each of its parts, too.")
    ] = False,
) -> None:
    """Rank every product for what visitors acted on next, beside popularity and a session kNN."""
    from stream.evaluation.recommender import DEMO, run_evaluate_recommender
    from stream.evaluation.report import Asked

    fitting = Protocol.BY_TIME if dataset == DEMO else Protocol.LEAVE_ONE_OUT
    if protocol not in (None, fitting):
        raise typer.BadParameter(f"{dataset} has {fitting.value} only", param_hint="--protocol")
    asked = Asked(dataset, fitting.value, seed, minutes, ablations)
    raise typer.Exit(run_evaluate_recommender(asked, report=report))


@app.command("forecaster")
def forecaster(
    dataset: Annotated[
        Path,
        typer.Option(
            help="Parquet with part_id, month, qty, or the lines of invoices; or demo, its real orders."
        ),
    ],
    report: Annotated[Path | None, typer.Option(help="Write the figures to this file.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the training.")] = 1,
    steps: Annotated[int, typer.Option(min=1, help="Of training, of each network.")] = 1500,
) -> None:
    """Forecast the last steps of every series beside others, and tell how often quantiles held."""
    from stream.evaluation.forecast_report import Asked
    from stream.evaluation.forecaster import run_evaluate_forecaster

    asked = Asked(dataset, seed, steps)
    raise typer.Exit(run_evaluate_forecaster(asked, report=report))


@app.command("stock")
def stock(
    dataset: Annotated[
        list[Path] | None,
        typer.Option(
            help="Parquet with the lines of invoices; or demo, for its real orders, as without any."
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the figures to this file.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the training.")] = 1,
    steps: Annotated[int, typer.Option(min=1, help="Of training, of each network.")] = 1500,
) -> None:
    """Replay real demand through a simulated warehouse: what is lost, beside planners' rules?"""
    from stream.evaluation.shop import DEMO
    from stream.evaluation.stock import run_evaluate_stock
    from stream.evaluation.stock_report import Asked

    asked = Asked(tuple(dict.fromkeys(dataset or [DEMO])), seed, steps)
    raise typer.Exit(run_evaluate_stock(asked, report=report))
