"""Where the product that came next stands among all, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stream.evaluation.histories import Row, padded
from stream.evaluation.leave_one_out import Questions

N_BEST = 10
_ROWS = 256
_N_RESAMPLED = 1_000

Scores = NDArray[np.float32]


class Ranker(Protocol):
    """Scores all products for a visitor."""

    @property
    def name(self) -> str: ...

    def score(self, histories: Sequence[Row]) -> Scores:
        """Return ``float32[history, n_products + 1]``, more is better; column 0 means nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Quality:
    """Of one ranker at one set of questions.

    Attributes:
        hr: Share of questions whose answer was among the ``N_BEST``.
        hr_interval: Its 95 % interval, by bootstrap over questions.
        ndcg: Mean of ``1 / log2(1 + rank)`` where it was among them, 0 elsewhere: with one answer
            the ideal gain is 1 (Järvelin and Kekäläinen 2002).
        ndcg_interval: Likewise.
        coverage: Share of all products that were among the best of some question.
    """

    n_questions: int
    hr: float
    hr_interval: tuple[float, float]
    ndcg: float
    ndcg_interval: tuple[float, float]
    coverage: float


def quality_of(
    ranker: Ranker,
    questions: Questions,
    n_products: int,
    *,
    seed: int = 1,
    progress: Callable[[float], None] = lambda _share: None,
) -> Quality:
    """Ask *ranker*, products of each history left out of its answers."""
    n_questions = len(questions.answers)
    ranks = np.empty(n_questions, dtype=np.int64)
    shown = np.zeros(n_products + 1, dtype=bool)
    # Histories of a length together: a ranker pads them to the longest of its batch.
    order = np.argsort([len(history) for history in questions.histories], kind="stable")
    for first in range(0, n_questions, _ROWS):
        asked = order[first : first + _ROWS]
        histories = [questions.histories[at] for at in asked.tolist()]
        scores = without_seen(ranker.score(histories), histories)
        ranks[asked] = ranks_of(scores, questions.answers[asked])
        shown[np.argpartition(scores, -N_BEST, axis=1)[:, -N_BEST:]] = True
        progress((first + len(asked)) / n_questions)
    hits = ranks <= N_BEST
    gains = np.where(hits, 1 / np.log2(1 + ranks), 0)
    draw = np.random.default_rng(seed)
    return Quality(
        n_questions,
        float(hits.mean()),
        _interval(hits.astype(float), draw),
        float(gains.mean()),
        _interval(gains, draw),
        float(shown[1:].mean()),
    )


def without_seen(scores: Scores, histories: Sequence[Row]) -> Scores:
    """Return *scores* with what each visitor has had, and padding, below everything."""
    scores = scores.copy()
    np.put_along_axis(scores, padded(histories), -np.inf, axis=1)
    scores[:, 0] = -np.inf
    return scores


def ranks_of(scores: Scores, answers: Row) -> Row:
    """Return ``int64[question]`` from 1; among equals the answer comes last.

    So a ranker that cannot tell products apart gains nothing by it.
    """
    own = np.take_along_axis(scores, answers[:, None], axis=1)
    return np.asarray((scores >= own).sum(axis=1), dtype=np.int64)


def _interval(values: NDArray[np.float64], draw: np.random.Generator) -> tuple[float, float]:
    n = len(values)
    means = [values[draw.integers(0, n, n)].mean() for _ in range(_N_RESAMPLED)]
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
