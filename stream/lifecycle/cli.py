"""The commands ``storestream models``; like ``cli.py`` it only parses, and imports late."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stream.settings import load

app = typer.Typer(help="Change model versions while everything runs.", no_args_is_help=True)

SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", help="TOML file; STORESTREAM_FILE names it as well."),
]
Repository = Annotated[Path, typer.Option(help="The folder of models that Triton serves.")]
Model = Annotated[str, typer.Argument(help="recommender or forecaster.")]
Version = Annotated[int, typer.Argument(min=1)]
Wait = Annotated[
    float,
    typer.Option(min=0, max=3600, help="Seconds until the old version stays loaded, if asked."),
]


@app.command("list")
def list_(repository: Repository, settings: SettingsFile = None) -> None:
    """Print every version on disk: what it measured, whether Triton has it, and what it does."""
    from stream.lifecycle.command import list_versions

    raise typer.Exit(list_versions(load(settings), repository))


@app.command()
def promote(
    model: Model,
    version: Version,
    repository: Repository,
    canary: Annotated[
        float | None, typer.Option(help="Only for this share of the visitors: 0.1 is one in ten.")
    ] = None,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Score and compare, show nobody.")
    ] = False,
    wait: Wait = 60,
    settings: SettingsFile = None,
) -> None:
    """Try a version out, then let the workers take it; exit with 1 where it is refused."""
    from stream.lifecycle.changing import Promotion
    from stream.lifecycle.command import change

    if canary is not None and not 0 < canary < 1:
        raise typer.BadParameter("a share above 0 and below 1", param_hint="--canary")
    if canary is not None and shadow:
        raise typer.BadParameter("expected --canary or --shadow, got both", param_hint="--shadow")
    wish = Promotion(str(version), canary=canary, shadow=shadow)
    raise typer.Exit(change(load(settings), repository, model, wish=wish, wait_s=wait))


@app.command()
def rollback(
    model: Model, repository: Repository, wait: Wait = 60, settings: SettingsFile = None
) -> None:
    """End a canary or a shadow; where there is none, go back to the version before."""
    from stream.lifecycle.changing import Rollback
    from stream.lifecycle.command import change

    raise typer.Exit(change(load(settings), repository, model, wish=Rollback(), wait_s=wait))


@app.command()
def compare(
    model: Model,
    first: Version,
    second: Version,
    repository: Repository,
    histories: Annotated[
        Path | None,
        typer.Option(help="A JSON list of product ids a line; else the sessions of the store."),
    ] = None,
    sample: Annotated[int, typer.Option(min=1, max=100_000, help="Histories asked.")] = 500,
    settings: SettingsFile = None,
) -> None:
    """Print two versions side by side: their reports, how far they agree, how long they take."""
    from stream.lifecycle.command import compare_versions

    versions = str(first), str(second)
    code = compare_versions(
        load(settings), repository, model, versions=versions, histories=histories, n_sample=sample
    )
    raise typer.Exit(code)
