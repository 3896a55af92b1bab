"""``storestream evaluate recommender``: learn, ask what came next, and report beside baselines."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from stream.demo.narration import Narrator
from stream.demo.report import write_report
from stream.demo.training import read_data
from stream.evaluation.histories import Histories, read_histories
from stream.evaluation.leave_one_out import leave_one_out
from stream.evaluation.neighbours import Neighbours, Reach
from stream.evaluation.ours import ABLATIONS, WHOLE, Ours, Without, learn_ours
from stream.evaluation.popularity import Again, Popularity
from stream.evaluation.questions import Split
from stream.evaluation.ranks import Ranker, quality_of
from stream.evaluation.replay import by_time
from stream.evaluation.report import Asked, Ranked, report_of, table
from stream.models.fitting import Budget

Share = Callable[[float], None]

#: The real orders of the demo, instead of a file.
DEMO = Path("demo")
BY_TIME = "by-time"
#: Sales of a product that is worth knowing: in a file each, in the demo as it trains its own.
_MIN_COUNT, _MIN_COUNT_OF_DEMO = 1, 20
#: Of VMIS-kNN, chosen on validation as ours is; the ranges of the paper's section 5.
_REACHES = tuple(Reach(m, k) for m in (100, 500, 2500) for k in (50, 100, 500))
#: Of the questions that validate; each costs milliseconds, for each reach.
_N_REACHED = 2_000


def run_evaluate_recommender(asked: Asked, *, report: Path | None) -> int:
    """Evaluate as *asked*, print a table and write *report*; return 0.

    Raises:
        Misconfigured: The data cannot be read.
    """
    console = Console(highlight=False)
    narrator = Narrator(console, headless=not console.is_terminal)
    histories, split = _read(narrator, asked)
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


def _read(narrator: Narrator, asked: Asked) -> tuple[Histories, Split]:
    if asked.dataset == DEMO:
        data = read_data(narrator)
        with narrator.step("splitting", "Splitting by time"):
            return by_time(data.purchases, data.catalogue, seed=asked.seed)
    with narrator.step("reading", f"Reading {asked.dataset.name}"):
        histories = read_histories(asked.dataset)
    return histories, leave_one_out(histories.rows)


@dataclass(frozen=True, slots=True)
class Learner:
    """Makes a ranker of what may be learnt from, and tells the share that is done."""

    name: str
    learn: Callable[[Split, Share], Ranker]


def learners(asked: Asked, histories: Histories) -> Sequence[Learner]:
    """Return what is compared, ours first."""
    n_products = len(histories.product_ids)
    is_demo = asked.dataset == DEMO

    def ours(split: Split, update: Share, without: Without = WHOLE) -> Ranker:
        return learn_ours(
            split,
            histories,
            min_count=_MIN_COUNT_OF_DEMO if is_demo else _MIN_COUNT,
            budget=Budget(60 * asked.minutes),
            seed=asked.seed,
            without=without,
            progress=lambda _stage, share: update(share),
        )

    ablations = ABLATIONS if asked.ablations else ()
    compared = [
        Learner(Ours.name, ours),
        *(Learner(each.name, partial(ours, without=each)) for each in ablations),
        Learner(Neighbours.name, lambda split, update: best_neighbours(split, n_products, update)),
        Learner(Popularity.name, lambda split, _: Popularity(split.train, n_products)),
    ]
    if is_demo:
        compared.append(Learner(Again.name, lambda split, _: Again(split.train, n_products)))
    return compared


def best_neighbours(
    split: Split, n_products: int, update: Share = lambda _share: None
) -> Neighbours:
    """Return VMIS-kNN with the reach that did best on validation."""
    validation = split.validation.some(_N_REACHED, seed=1)
    found: list[tuple[float, Neighbours]] = []
    for at, reach in enumerate(_REACHES):
        ranker = Neighbours(split.sessions, n_products, reach)
        ndcg = quality_of(ranker, validation, n_products).ndcg
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
