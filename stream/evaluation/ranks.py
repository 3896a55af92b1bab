"""Where what came next stands among all products, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stream.evaluation.histories import padded
from stream.evaluation.questions import Questions
from stream.models.acts import Acts, Row

N_BEST = 10
_ROWS = 256
_N_RESAMPLED = 1_000

Scores = NDArray[np.float32]


class Ranker(Protocol):
    """Scores all products for a visitor."""

    @property
    def name(self) -> str: ...

    def score(self, histories: Sequence[Acts]) -> Scores:
        """Return ``float32[history, n_products + 1]``, more is better; column 0 means nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Quality:
    """Of one ranker at one set of questions.

    Attributes:
        hr: Share of questions with an answer among the ``N_BEST``.
        hr_interval: Its 95 % interval, by bootstrap over visitors.
        ndcg: Mean of the sum of ``1 / log2(1 + rank)`` over the answers that were among them, to
            what it would be had they come first (Järvelin and Kekäläinen 2002).
        ndcg_interval: Likewise.
        found: Share of all answers that were among them.
        coverage: Share of all products that were among the best of some question.
    """

    n_questions: int
    hr: float
    hr_interval: tuple[float, float]
    ndcg: float
    ndcg_interval: tuple[float, float]
    found: float
    coverage: float


def quality_of(
    ranker: Ranker,
    questions: Questions,
    n_products: int,
    *,
    seed: int = 1,
    progress: Callable[[float], None] = lambda _share: None,
) -> Quality:
    """Ask *ranker*; what must not be shown takes no place among its answers."""
    n_questions = len(questions)
    n_found = np.empty(n_questions, dtype=np.int64)
    gains = np.empty(n_questions)
    shown = np.zeros(n_products + 1, dtype=bool)
    # Histories of a length together: a ranker pads them to the longest of its batch.
    order = np.argsort([len(each.items) for each in questions.histories], kind="stable")
    for first in range(0, n_questions, _ROWS):
        asked = order[first : first + _ROWS].tolist()
        scores = ranker.score([questions.histories[at] for at in asked])
        scores = without(scores, [questions.left_out[at] for at in asked])
        for at, ranks in zip(
            asked, ranks_of(scores, [questions.answers[at] for at in asked]), strict=True
        ):
            n_found[at], gains[at] = (ranks <= N_BEST).sum(), gain_of(ranks)
        shown[np.argpartition(scores, -N_BEST, axis=1)[:, -N_BEST:]] = True
        progress((first + len(asked)) / n_questions)
    draw = np.random.default_rng(seed)
    hits = (n_found > 0).astype(float)
    n_answers = sum(map(len, questions.answers))
    return Quality(
        n_questions,
        float(hits.mean()),
        _interval(hits, questions.visitors, draw),
        float(gains.mean()),
        _interval(gains, questions.visitors, draw),
        float(n_found.sum() / n_answers),
        float(shown[1:].mean()),
    )


def without(scores: Scores, left_out: Sequence[Row]) -> Scores:
    """Return *scores* with what must not be shown, and padding, below everything."""
    scores = scores.copy()
    np.put_along_axis(scores, padded(left_out), -np.inf, axis=1)
    scores[:, 0] = -np.inf
    return scores


def ranks_of(scores: Scores, answers: Sequence[Row]) -> list[Row]:
    """Return the rank of each answer from 1; among equals it comes last.

    So a ranker that cannot tell products apart gains nothing by it.
    """
    lengths = [len(each) for each in answers]
    rows = np.repeat(np.arange(len(answers)), lengths)
    own = scores[rows, np.concatenate(answers)]
    ranks = np.concatenate(
        [
            (scores[rows[first : first + _ROWS]] >= own[first : first + _ROWS, None]).sum(axis=1)
            for first in range(0, len(rows), _ROWS)
        ]
    )
    return np.split(ranks, np.cumsum(lengths)[:-1])


def gain_of(ranks: Row) -> float:
    """Return the discounted gain of answers at *ranks*, to the most that as many could have."""
    best = np.arange(1, min(N_BEST, len(ranks)) + 1)
    return float((1 / np.log2(1 + ranks[ranks <= N_BEST])).sum() / (1 / np.log2(1 + best)).sum())


def _interval(
    values: NDArray[np.float64], visitors: Row, draw: np.random.Generator
) -> tuple[float, float]:
    """Resample visitors, not questions: those of one visitor go together."""
    _, owner = np.unique(visitors, return_inverse=True)
    sums, counts = np.bincount(owner, values), np.bincount(owner)
    means = []
    for _ in range(_N_RESAMPLED):
        drawn = draw.integers(0, len(counts), len(counts))
        means.append(sums[drawn].sum() / counts[drawn].sum())
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
