"""Whether the recommender finds what came next: the last items of some visitors, held back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stream.model_specs import MAX_ITEMS
from stream.models.served.recommender.network import SessionTransformer
from stream.models.windows import Row

_N_HELD_VISITORS = 2_000
#: Of a visitor, and never more than a share of what there is.
_N_HELD_ITEMS, _HELD_SHARE = 8, 0.25
_SHORTEST = 3
#: Visitors of other rows are asked as well where the caller holds back more.
_N_ASKED = 5_000
_ROWS = 256
_N_BEST = 10

#: Scores products for ``int64[row, MAX_ITEMS]``: ``float32[row, n_products]``.
Score = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Held:
    """What came next?

    Attributes:
        histories: ``int64[question, MAX_ITEMS]``, padded on the left.
        answers: ``int64[question]``: the index that came next.
    """

    histories: Tensor
    answers: Tensor

    @classmethod
    def of(cls, histories: Sequence[Row], answers: Sequence[int] | Row) -> Held:
        """Return the questions after *histories*, oldest item first: a sample where they are many."""
        padded = np.zeros((len(histories), MAX_ITEMS), dtype=np.int64)
        for row, history in zip(padded, histories, strict=True):
            newest = history[-MAX_ITEMS:]
            row[MAX_ITEMS - len(newest) :] = newest
        asked = np.random.default_rng(0).permutation(len(padded))[:_N_ASKED]
        wanted = np.asarray(answers, dtype=np.int64)[asked]
        return cls(torch.from_numpy(padded[asked]), torch.from_numpy(wanted))

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield histories and answers."""
        for first in range(0, len(self), _ROWS):
            here = slice(first, first + _ROWS)
            yield self.histories[here], self.answers[here]

    def some(self, n_questions: int) -> Held:
        """Return the first *n_questions*; they are in no order."""
        return Held(self.histories[:n_questions], self.answers[:n_questions])

    def __len__(self) -> int:
        return len(self.answers)


def hold_out(rows: Sequence[Row], draw: np.random.Generator) -> tuple[list[Row], Held]:
    """Cut the last items off some rows; return what is left to learn from, and what to ask."""
    long = [number for number, row in enumerate(rows) if len(row) >= _SHORTEST]
    chosen = draw.permutation(np.array(long, dtype=np.int64))[:_N_HELD_VISITORS]
    seen = list(rows)
    histories, answers = [], list[int]()
    for number in chosen.tolist():
        row = rows[number]
        n_held = max(1, min(_N_HELD_ITEMS, int(_HELD_SHARE * len(row))))
        seen[number] = row[:-n_held]
        for place in range(len(row) - n_held, len(row)):
            histories.append(row[:place])
            answers.append(int(row[place]))
    return seen, Held.of(histories, answers)


@torch.inference_mode()
def places_of(score: Score, held: Held) -> Tensor:
    """Return how many products come before each answer, ``int64[question]``.

    Among equals the answer comes last: who cannot tell products apart gains nothing by it.
    """
    places = [_NONE]
    for histories, answers in held.batches():
        scores = score(histories)
        own = scores.gather(1, answers[:, None] - 1)
        places.append((scores >= own).sum(dim=1) - 1)
    return torch.cat(places)


def hit_rate(places: Tensor) -> float:
    """Return HR@10: the share of answers among the first ten."""
    return float((places < _N_BEST).sum()) / max(1, len(places))


def ndcg(places: Tensor) -> float:
    """Return NDCG@10: the mean of ``1 / log2(1 + rank)`` where the answer is among the first ten.

    With one answer the ideal gain is 1 (Järvelin and Kekäläinen 2002).
    """
    gains = 1 / torch.log2(2.0 + places)
    return float(gains[places < _N_BEST].sum()) / max(1, len(places))


def metrics_of(network: SessionTransformer, seen: Sequence[Row], held: Held) -> dict[str, float]:
    """Return how good the model is beside popularity and the visitor's own most frequent items."""
    if not len(held):
        return {}
    counts = np.bincount(np.concatenate(seen), minlength=network.n_products + 1)
    popular = torch.from_numpy(counts[1:] / counts.sum()).float()

    def own(histories: Tensor) -> Tensor:
        times = torch.zeros(len(histories), network.n_products + 1)
        times.scatter_add_(1, histories, torch.ones(histories.shape))
        return times[:, 1:] + popular

    ours = places_of(network.score, held)
    everyone = places_of(lambda histories: popular.expand(len(histories), -1), held)
    return {
        "n_validated": float(len(held)),
        "hr_at_10": hit_rate(ours),
        "ndcg_at_10": ndcg(ours),
        "hr_at_10_popularity": hit_rate(everyone),
        "hr_at_10_own_items": hit_rate(places_of(own, held)),
    }


_NONE = torch.empty(0, dtype=torch.int64)
