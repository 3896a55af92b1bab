"""``storestream train``: learn from the past, and lay a version beside those that are there."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from stream.demo.narration import Narrator
from stream.errors import Misconfigured
from stream.model_specs import FORECASTER, RECOMMENDER, ModelSpec
from stream.models.export import export_forecaster, export_recommender
from stream.models.fitting import Budget
from stream.models.forecaster import train_forecaster
from stream.models.progress import Progress
from stream.models.recommender import train_recommender
from stream.repository import fits, versions_in
from stream.training.deeds import Deeds

#: As a shell has it for a process that Ctrl-C ended.
_INTERRUPTED = 130

#: Makes the version of that number, and returns what it measured.
Make = Callable[[int, Progress], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a training was told to do.

    Attributes:
        source: Where the past came from, as it was named.
        min_count: Acts with a product, or sales of it, that make it worth knowing.
        minutes: At most.
    """

    source: str
    repository: Path
    min_count: int
    max_products: int
    minutes: float
    seed: int


def run_train_recommender(wanted: Wanted, deeds: Deeds) -> int:
    """Train on *deeds*, export and say where it is; return 0, or 130 where Ctrl-C stopped it.

    What is done so far is kept beside the repository: the same command goes on from there.

    Raises:
        Misconfigured: There is too little to learn from.
    """
    data = deeds.sha256
    checkpoint = _checkpoint(wanted, data)

    def make(version: int, progress: Progress) -> Mapping[str, float]:
        trained = train_recommender(
            deeds.histories(),
            min_count=wanted.min_count,
            max_products=wanted.max_products,
            budget=Budget(60 * wanted.minutes),
            seed=wanted.seed,
            checkpoint=checkpoint,
            progress=progress,
        )
        about = _about(wanted, deeds, data, {**trained.settings})
        export_recommender(trained, wanted.repository, version, about=about)
        return trained.metrics

    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    try:
        _run(RECOMMENDER, wanted, make)
    except KeyboardInterrupt:
        sys.stderr.write(f"Stopped; the same command goes on from {checkpoint}.\n")
        return _INTERRUPTED
    checkpoint.unlink(missing_ok=True)
    return 0


def run_train_forecaster(wanted: Wanted, deeds: Deeds) -> int:
    """Train on what was sold, export and say where it is; return 0.

    Raises:
        Misconfigured: There is too little to learn from.
    """
    data = deeds.sha256
    demand, first_weekday = deeds.demand(wanted.min_count)

    def make(version: int, progress: Progress) -> Mapping[str, float]:
        trained = train_forecaster(
            demand, first_weekday, seconds=60 * wanted.minutes, seed=wanted.seed, progress=progress
        )
        about = _about(wanted, deeds, data, {**trained.settings})
        export_forecaster(trained, wanted.repository, version, about=about)
        return trained.metrics

    _run(FORECASTER, wanted, make)
    return 0


def _run(spec: ModelSpec, wanted: Wanted, make: Make) -> None:
    console = Console(highlight=False)
    narrator = Narrator(console, headless=not console.is_terminal)
    model = wanted.repository / spec.name
    there = versions_in(model)
    if there and not fits(model, spec):
        raise Misconfigured(
            f"{model}: its versions have other tensors; choose another --repository"
        )
    version = 1 + max(map(int, there), default=0)
    try:
        with narrator.step(spec.name, f"Training {spec.name} {version}") as update:
            metrics = make(version, lambda _stage, share: update(share, ""))
    except ValueError as error:
        raise Misconfigured(f"{wanted.source}: {error}") from error
    for name, value in metrics.items():
        console.print(f"  {name}: {value:.4g}")
    console.print(f"{model / str(version)}: report.json says what it was made of.", soft_wrap=True)
    if there:
        console.print(
            f"It answers nobody yet: storestream models promote {spec.name} {version} "
            f"--repository {wanted.repository}",
            soft_wrap=True,
        )


def _checkpoint(wanted: Wanted, data: str) -> Path:
    """Return where a training is kept: another one for other data, settings or seed."""
    told = f"{data} {wanted.seed} {wanted.min_count} {wanted.max_products}"
    mark = hashlib.sha256(told.encode()).hexdigest()[:12]
    name = f".{wanted.repository.name}-training"
    return wanted.repository.with_name(name) / f"{RECOMMENDER.name}-{mark}.pt"


def _about(
    wanted: Wanted, deeds: Deeds, data: str, settings: Mapping[str, float]
) -> dict[str, object]:
    return {
        "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": wanted.source,
        "data": data,
        "acts": len(deeds),
        "min_count": wanted.min_count,
        "seed": wanted.seed,
        "settings": settings,
    }
