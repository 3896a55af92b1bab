"""``storestream train``: learn from the past, and lay a version beside those that are there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from stream.demo.narration import Narrator
from stream.errors import Misconfigured
from stream.model_specs import FORECASTER, RECOMMENDER, ModelSpec
from stream.models.checkpoint import Checkpoint
from stream.models.export import export_forecaster, export_recommender
from stream.models.fitting import Budget
from stream.models.forecaster import SETTINGS, train_forecaster
from stream.models.progress import Progress
from stream.models.recommender import NETWORK, train_recommender
from stream.repository import fits, served_in, versions_in
from stream.store_days import StoreDays
from stream.training.begun import Begun
from stream.training.deeds import Deeds
from stream.training.demand import demand_of
from stream.training.past import Past

#: As a shell has it for a process that Ctrl-C ended.
_INTERRUPTED = 130


class Made(NamedTuple):
    """A version, and what it measured."""

    version: str
    metrics: Mapping[str, float]


Make = Callable[[Deeds, Checkpoint, Progress], Made]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a training was told to do.

    Attributes:
        min_count: Acts with a product, or sales of it, that make it worth knowing.
        minutes: At most.
        anew: Whether one that was stopped is forgotten.
        days: The store's, by which demand is counted.
    """

    past: Past
    repository: Path
    min_count: int
    max_products: int
    minutes: float
    seed: int
    anew: bool = False
    days: StoreDays = field(default_factory=StoreDays)


def run_train_recommender(wanted: Wanted) -> int:
    """Train, export and say where it is; return 0, or 130 where Ctrl-C stopped it.

    What is done so far is kept beside the repository: the same command goes on from there.

    Raises:
        Misconfigured: There is too little to learn from.
    """

    def make(deeds: Deeds, checkpoint: Checkpoint, progress: Progress) -> Made:
        trained = train_recommender(
            deeds.histories(),
            min_count=wanted.min_count,
            max_products=wanted.max_products,
            budget=Budget(60 * wanted.minutes),
            seed=wanted.seed,
            checkpoint=checkpoint,
            progress=progress,
        )
        about = _about(wanted, deeds, trained.settings)
        version = export_recommender(trained, wanted.repository, about=about)
        return Made(version, trained.metrics)

    return _run(RECOMMENDER, wanted, NETWORK, make)


def run_train_forecaster(wanted: Wanted) -> int:
    """Train on what was sold; all else as of the recommender."""

    def make(deeds: Deeds, checkpoint: Checkpoint, progress: Progress) -> Made:
        trained = train_forecaster(
            demand_of(deeds, wanted.min_count, wanted.days.calendar()),
            seconds=60 * wanted.minutes,
            seed=wanted.seed,
            checkpoint=checkpoint,
            progress=progress,
        )
        about = _about(wanted, deeds, trained.settings)
        about |= {"days": asdict(wanted.days), "droughts": len(deeds.droughts)}
        version = export_forecaster(trained, wanted.repository, about=about)
        return Made(version, trained.metrics)

    return _run(FORECASTER, wanted, {**SETTINGS, "days": wanted.days}, make)


def _run(spec: ModelSpec, wanted: Wanted, network: Mapping[str, object], make: Make) -> int:
    console = Console(highlight=False)
    model = wanted.repository / spec.name
    if versions_in(model) and not fits(model, spec):
        raise Misconfigured(
            f"{model}: its versions have other tensors; choose another --repository"
        )
    begun = Begun(wanted.repository, spec.name, _told(wanted, network), say=console.print)
    if wanted.anew:
        begun.forget()
    checkpoint: Path | None = None
    try:
        deeds = begun.deeds(wanted.past)
        checkpoint = begun.checkpoint(deeds)
        made = _made(spec, wanted, console, partial(make, deeds, Checkpoint(checkpoint)))
    except KeyboardInterrupt:
        sys.stderr.write(f"{_stopped(checkpoint)}\n")
        return _INTERRUPTED
    begun.forget()
    _tell(spec, wanted, made, console)
    return 0


def _made(
    spec: ModelSpec, wanted: Wanted, console: Console, make: Callable[[Progress], Made]
) -> Made:
    narrator = Narrator(console, headless=not console.is_terminal)
    try:
        with narrator.step(spec.name, f"Training {spec.name}") as update:
            return make(lambda _stage, share: update(share, ""))
    except ValueError as error:
        raise Misconfigured(f"{wanted.past.name}: {error}") from error


def _tell(spec: ModelSpec, wanted: Wanted, made: Made, console: Console) -> None:
    for name, value in made.metrics.items():
        console.print(f"  {name}: {value:.4g}")
    model = wanted.repository / spec.name
    console.print(f"{model / made.version}: report.json says what it was made of.", soft_wrap=True)
    if made.version not in served_in(model):
        console.print(
            f"It answers nobody yet: storestream models promote {spec.name} {made.version} "
            f"--repository {wanted.repository}",
            soft_wrap=True,
        )


def _stopped(checkpoint: Path | None) -> str:
    if checkpoint is not None and checkpoint.exists():
        return f"Stopped; the same command goes on from {checkpoint}."
    return "Stopped before anything was learnt; the same command begins again."


def _told(wanted: Wanted, network: Mapping[str, object]) -> Mapping[str, object]:
    """Return what makes another training of it; more time is no other one."""
    return {
        "past": wanted.past.name,
        "seed": wanted.seed,
        "min_count": wanted.min_count,
        "max_products": wanted.max_products,
        **network,
    }


def _about(wanted: Wanted, deeds: Deeds, settings: Mapping[str, float]) -> dict[str, object]:
    return {
        "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": wanted.past.name,
        "data": deeds.sha256,
        "acts": len(deeds),
        "min_count": wanted.min_count,
        "max_products": wanted.max_products,
        "minutes_at_most": wanted.minutes,
        "seed": wanted.seed,
        "settings": {**settings},
    }
