"""What came of an evaluation, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from stream.demo.report import machine
from stream.evaluation.histories import Histories
from stream.evaluation.ranks import N_BEST, Quality


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run was told to do.

    Attributes:
        minutes: Of training, at most.
        ablations: Whether ours is asked without each of its parts, too.
    """

    dataset: Path
    protocol: str
    seed: int
    minutes: float
    ablations: bool = False


@dataclass(frozen=True, slots=True)
class Ranked:
    """A ranker's quality at the test, and the seconds it took to learn."""

    name: str
    seconds: float
    quality: Quality


def report_of(asked: Asked, histories: Histories, ranked: Sequence[Ranked]) -> dict[str, object]:
    """Return the figures, ours on top."""
    ours = ranked[0].quality
    return {
        f"hr@{N_BEST}": ours.hr,
        f"ndcg@{N_BEST}": ours.ndcg,
        "rankers": {each.name: _told(each) for each in ranked},
        "asked": {
            "dataset": asked.dataset.name,
            "protocol": asked.protocol,
            "seed": asked.seed,
            "minutes": asked.minutes,
        },
        "data": {
            "sha256": histories.sha256,
            "visitors": len(histories.rows),
            "products": len(histories.product_ids),
            "interactions": histories.n_interactions,
        },
        "machine": machine(),
    }


def table(ranked: Sequence[Ranked]) -> Table:
    """Return the same for people."""
    headings = (
        "ranker",
        f"HR@{N_BEST}",
        "95 %",
        f"NDCG@{N_BEST}",
        "95 %",
        "found",
        "coverage",
        "learnt in, s",
    )
    found = Table(*headings, title=f"{ranked[0].quality.n_questions:,} questions: what came next?")
    for each in ranked:
        quality = each.quality
        found.add_row(
            each.name,
            f"{quality.hr:.4f}",
            between(quality.hr_interval),
            f"{quality.ndcg:.4f}",
            between(quality.ndcg_interval),
            f"{quality.found:.1%}",
            f"{quality.coverage:.1%}",
            f"{each.seconds:,.0f}",
        )
    return found


def _told(ranked: Ranked) -> dict[str, object]:
    quality = ranked.quality
    return {
        f"hr@{N_BEST}": quality.hr,
        f"hr@{N_BEST}_interval": quality.hr_interval,
        f"ndcg@{N_BEST}": quality.ndcg,
        f"ndcg@{N_BEST}_interval": quality.ndcg_interval,
        "found": quality.found,
        "coverage": quality.coverage,
        "questions": quality.n_questions,
        "seconds": round(ranked.seconds, 1),
    }


def between(interval: tuple[float, float]) -> str:
    """Return both ends of an interval, for a person."""
    low, high = interval
    return f"{low:.4f} to {high:.4f}"
