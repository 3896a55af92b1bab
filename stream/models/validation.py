"""Whether the recommender finds what came next: the last acts of some visitors, held back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from stream.model_specs import MAX_ITEMS
from stream.models.acts import Acts
from stream.models.served.recommender.network import SessionTransformer

#: At most, and never more than a share of them: a small store needs most of what it has to learn.
_N_HELD_VISITORS, _HELD_VISITORS_SHARE = 2_000, 0.25
#: Moments of a visitor, and never more than a share of them.
_N_HELD, _HELD_SHARE = 8, 0.25
#: After each epoch: enough to tell better from worse, and few beside what an epoch takes.
_N_ASKED = 3_000
_ROWS = 256
_N_BEST = 10

#: Scores products for items and kinds, ``int64[row, MAX_ITEMS]``: ``float32[row, product]``.
Score = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Held:
    """What came next?

    Attributes:
        histories: Items and kinds: ``int64[column, question, MAX_ITEMS]``, padded on the left.
        answers: ``int64[question]``: an index that came next.
    """

    histories: Tensor
    answers: Tensor

    @classmethod
    def of(cls, questions: Sequence[tuple[Acts, int]], at_most: int = _N_ASKED) -> Held:
        """Return acts and what came after them as tensors; a sample where there are many."""
        asked = np.random.default_rng(0).permutation(len(questions))[:at_most].tolist()
        answers = [questions[at][1] for at in asked]
        histories = padded([questions[at][0] for at in asked])
        return cls(histories, torch.tensor(answers, dtype=torch.int64))

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield histories and answers."""
        for first in range(0, len(self), _ROWS):
            here = slice(first, first + _ROWS)
            yield self.histories[:, here], self.answers[here]

    def some(self, n_questions: int) -> Held:
        """Return the first *n_questions*; they are in no order."""
        return Held(self.histories[:, :n_questions], self.answers[:n_questions])

    def __len__(self) -> int:
        return len(self.answers)


def padded(rows: Sequence[Acts]) -> Tensor:
    """Return items and kinds of the newest acts, ``int64[column, row, MAX_ITEMS]``."""
    whole = np.zeros((2, len(rows), MAX_ITEMS), dtype=np.int64)
    for at, row in enumerate(rows):
        newest = row.as_read().newest(MAX_ITEMS)
        whole[:, at, MAX_ITEMS - len(newest.items) :] = newest.items, newest.kinds
    return torch.from_numpy(whole)


def hold_out(rows: Sequence[Acts], draw: np.random.Generator) -> tuple[list[Acts], Held]:
    """Cut the last moments off some rows; return what is left to learn from, and what to ask."""
    seen = list(rows)
    questions: list[tuple[Acts, int]] = []
    n_left = max(1, min(_N_HELD_VISITORS, int(_HELD_VISITORS_SHARE * len(rows))))
    for number in draw.permutation(len(rows)).tolist():
        row = rows[number]
        edges = [*row.begins.tolist(), len(row.items)]
        n_held = max(1, min(_N_HELD, int(_HELD_SHARE * (len(edges) - 1))))
        if len(edges) - 1 <= n_held:
            continue
        for begin, end in pairwise(edges[-n_held - 1 :]):
            questions += [(row.first(begin), answer) for answer in row.items[begin:end].tolist()]
        seen[number] = row.first(edges[-n_held - 1])
        n_left -= 1
        if not n_left:
            break
    return seen, Held.of(questions)


@torch.inference_mode()
def places_of(score: Score, held: Held) -> Tensor:
    """Return how many products come before each answer, ``int64[question]``.

    Among equals the answer comes last: who cannot tell products apart gains nothing by it.
    """
    places = [_NONE]
    for histories, answers in held.batches():
        scores = score(*histories)
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


def metrics_of(network: SessionTransformer, seen: Sequence[Acts], held: Held) -> dict[str, float]:
    """Return how good the model is beside popularity and the visitor's own most frequent items."""
    if not len(held):
        return {}
    items = np.concatenate([row.items for row in seen])
    counts = np.bincount(items, minlength=network.n_products + 1)
    popular = torch.from_numpy(counts[1:] / counts.sum()).float()

    def everyone(items: Tensor, *_: Tensor) -> Tensor:
        return popular.expand(len(items), -1)

    def own(items: Tensor, *_: Tensor) -> Tensor:
        times = torch.zeros(len(items), network.n_products + 1)
        times.scatter_add_(1, items, torch.ones(items.shape))
        return times[:, 1:] + popular

    ours = places_of(network.score, held)
    return {
        "n_validated": float(len(held)),
        "hr_at_10": hit_rate(ours),
        "ndcg_at_10": ndcg(ours),
        "hr_at_10_popularity": hit_rate(places_of(everyone, held)),
        "hr_at_10_own_items": hit_rate(places_of(own, held)),
    }


_NONE = torch.empty(0, dtype=torch.int64)
