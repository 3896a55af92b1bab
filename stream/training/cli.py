"""The commands ``storestream train``; like ``cli.py`` it only parses, and imports late."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream.model_specs import FORECASTER, RECOMMENDER
from stream.settings import Settings, load

if TYPE_CHECKING:
    from stream.training.past import Past

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
Anew = Annotated[
    bool, typer.Option("--anew", help="Forget a training that was stopped, and read all again.")
]
Seed = Annotated[
    int,
    typer.Option(
        help="Of all that is drawn; where time does not end it, the same data train the same."
    ),
]
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
    anew: Anew = False,
    settings: SettingsFile = None,
) -> None:
    """Learn what visitors act on next. Stopped, the same command goes on from where it was."""
    from stream.training.command import Wanted, run_train_recommender

    past = _past(source, RECOMMENDER.name, since, settings=load(settings))
    wanted = Wanted(past, repository, min_count, max_products, minutes, seed, anew)
    raise typer.Exit(run_train_recommender(wanted))


@app.command("forecaster")
def forecaster(
    source: Source,
    repository: Repository,
    since: Since = None,
    minutes: Annotated[float, typer.Option(min=0.05, max=10_000, help="It takes.")] = 5,
    min_count: MinCount = 20,
    seed: Seed = 1,
    anew: Anew = False,
    settings: SettingsFile = None,
) -> None:
    """Learn how many units are sold on the days ahead. Stopped, the same command goes on."""
    from stream.training.command import Wanted, run_train_forecaster

    told = load(settings)
    past = _past(source, FORECASTER.name, since, settings=told)
    wanted = Wanted(past, repository, min_count, 0, minutes, seed, anew, days=told.days)
    raise typer.Exit(run_train_forecaster(wanted))


def _past(source: str, model: str, since: str | None, *, settings: Settings) -> Past:
    from stream.training.past import PastFile, PastTopics

    if source == _TOPIC:
        return PastTopics(settings, model, since)
    if since is not None:
        raise typer.BadParameter("is for --from topic only", param_hint="--since")
    return PastFile(Path(source))
