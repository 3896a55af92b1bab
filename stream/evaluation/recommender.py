"""``storestream evaluate recommender``: learn, ask what came next, and report beside baselines."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from stream.demo.narration import Narrator
from stream.demo.report import write_report
from stream.evaluation.histories import Histories, read_histories
from stream.evaluation.leave_one_out import Split, leave_one_out
from stream.evaluation.neighbours import Neighbours, Reach
from stream.evaluation.ours import Ours
from stream.evaluation.popularity import Popularity
from stream.evaluation.ranks import Ranker, quality_of
from stream.evaluation.report import Asked, Ranked, report_of, table
from stream.models.recommender import train_recommender

Share = Callable[[float], None]

#: Of VMIS-kNN, chosen on validation as ours is; the ranges of the paper's section 5.
_REACHES = tuple(Reach(m, k) for m in (100, 500, 2500) for k in (50, 100, 500))


def run_evaluate_recommender(asked: Asked, *, report: Path | None) -> int:
    """Evaluate as *asked*, print a table and write *report*; return 0.

    Raises:
        Misconfigured: The data cannot be read.
    """
    console = Console(highlight=False)
    narrator = Narrator(console, headless=not console.is_terminal)
    with narrator.step("reading", f"Reading {asked.dataset.name}"):
        histories = read_histories(asked.dataset)
    split = leave_one_out(histories.rows)
    n_products = len(histories.product_ids)
    ranked = [
        _measured(narrator, each, split, n_products=n_products)
        for each in learners(asked, histories)
    ]
    console.print(table(ranked))
    if report is not None:
        write_report(report_of(asked, histories, ranked), report)
        console.print(f"Report: {report}", markup=False)
    return 0


@dataclass(frozen=True, slots=True)
class Learner:
    """Makes a ranker of what may be learnt from, and tells the share that is done."""

    name: str
    learn: Callable[[Split, Share], Ranker]


def learners(asked: Asked, histories: Histories) -> Sequence[Learner]:
    """Return what is compared, ours first."""
    n_products = len(histories.product_ids)

    def ours(split: Split, update: Share) -> Ranker:
        trained = train_recommender(
            histories.named(split.train),
            min_count=1,
            max_products=n_products,
            seconds=60 * asked.minutes,
            seed=asked.seed,
            progress=lambda _stage, share: update(share),
        )
        return Ours(trained, histories)

    return (
        Learner(Ours.name, ours),
        Learner(Neighbours.name, lambda split, update: best_neighbours(split, n_products, update)),
        Learner(Popularity.name, lambda split, _: Popularity(split.train, n_products)),
    )


def best_neighbours(
    split: Split, n_products: int, update: Share = lambda _share: None
) -> Neighbours:
    """Return VMIS-kNN with the reach that did best on validation."""
    found: list[tuple[float, Neighbours]] = []
    for at, reach in enumerate(_REACHES):
        ranker = Neighbours(split.train, n_products, reach)
        ndcg = quality_of(ranker, split.validation, n_products).ndcg
        found.append((ndcg, ranker))
        update((at + 1) / len(_REACHES))
    return max(found, key=lambda each: each[0])[1]


def _measured(narrator: Narrator, learner: Learner, split: Split, *, n_products: int) -> Ranked:
    name, started = learner.name, time.monotonic()
    with narrator.step(f"learning {name}", f"Learning: {name}") as update:
        ranker = learner.learn(split, lambda share: update(share, ""))
    seconds = time.monotonic() - started
    with narrator.step(f"asking {name}", f"Asking: {name}") as update:
        quality = quality_of(
            ranker, split.test, n_products, progress=lambda share: update(share, "")
        )
    return Ranked(name, seconds, quality)
