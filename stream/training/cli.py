"""The commands ``storestream train``; like ``cli.py`` it only parses, and imports late."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream.settings import load

if TYPE_CHECKING:
    from stream.training.deeds import Deeds

app = typer.Typer(help="Train a new version of a model on a store's past.", no_args_is_help=True)

#: The store's own topics, instead of a file.
_TOPIC = "topic"

Source = Annotated[
    str,
    typer.Option("--from", help="Parquet: visitor_id, product_id, occurred_at_ms; or: topic."),
]
Repository = Annotated[
    Path, typer.Option(help="Where Triton's models are; the version is laid beside the others.")
]
Since = Annotated[
    str | None, typer.Option(help="Of topics: appended since then; ISO 8601 (UTC), or 90d ago.")
]
MinCount = Annotated[int, typer.Option(min=1, help="A product is known from so many acts on.")]
Seed = Annotated[int, typer.Option(help="The same seed and data train the same model.")]
SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", help="TOML file; STORESTREAM_FILE names it as well."),
]


@app.command("recommender")
def recommender(
    source: Source,
    repository: Repository,
    since: Since = None,
    minutes: Annotated[float, typer.Option(min=0.05, max=10_000, help="At most.")] = 55,
    min_count: MinCount = 5,
    max_products: Annotated[int, typer.Option(min=64, help="The most frequent.")] = 200_000,
    seed: Seed = 1,
    settings: SettingsFile = None,
) -> None:
    """Learn what visitors act on next. Stopped, the same command goes on from where it was."""
    from stream.training.command import Wanted, run_train_recommender

    deeds = _deeds(source, since, settings)
    wanted = Wanted(source, repository, min_count, max_products, minutes, seed)
    raise typer.Exit(run_train_recommender(wanted, deeds))


@app.command("forecaster")
def forecaster(
    source: Source,
    repository: Repository,
    since: Since = None,
    minutes: Annotated[float, typer.Option(min=0.05, max=10_000, help="It takes.")] = 5,
    min_count: MinCount = 20,
    seed: Seed = 1,
    settings: SettingsFile = None,
) -> None:
    """Learn how many units are sold on the days ahead."""
    from stream.training.command import Wanted, run_train_forecaster

    deeds = _deeds(source, since, settings)
    wanted = Wanted(source, repository, min_count, 0, minutes, seed)
    raise typer.Exit(run_train_forecaster(wanted, deeds))


def _deeds(source: str, since: str | None, settings: Path | None) -> Deeds:
    from stream.moments import moment_ms
    from stream.training.from_file import read_file
    from stream.training.from_topics import read_topics

    if source != _TOPIC:
        if since is not None:
            raise typer.BadParameter("is for --from topic only", param_hint="--since")
        return read_file(Path(source))
    now_ms = int(time.time() * 1000)
    since_ms = None if since is None else moment_ms(since, now_ms, option="--since")
    deeds, n_unreadable = asyncio.run(read_topics(load(settings), since_ms=since_ms))
    typer.echo(f"{len(deeds):,} acts read; {n_unreadable:,} records could not be.", err=True)
    return deeds
