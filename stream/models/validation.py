"""Whether the recommender finds what came next: the last items of some visitors, held back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stream.model_specs import MAX_ITEMS
from stream.models.served.recommender.network import SessionTransformer

_N_HELD_VISITORS = 600
_N_HELD_ITEMS = 8
_ROWS = 256


def hold_out(
    rows: Sequence[NDArray[np.int64]], draw: np.random.Generator
) -> tuple[list[NDArray[np.int64]], list[tuple[int, NDArray[np.int64]]]]:
    """Cut the last items off some long rows: what is trained on, and row number with its tail."""
    long = [number for number, row in enumerate(rows) if len(row) > 4 * _N_HELD_ITEMS]
    chosen = draw.permutation(np.array(long, dtype=np.int64))[:_N_HELD_VISITORS]
    seen = list(rows)
    held = []
    for number in chosen.tolist():
        seen[number], tail = rows[number][:-_N_HELD_ITEMS], rows[number][-_N_HELD_ITEMS:]
        held.append((number, tail))
    return seen, held


def hit_rates(
    network: SessionTransformer,
    seen: Sequence[NDArray[np.int64]],
    held: Sequence[tuple[int, NDArray[np.int64]]],
) -> dict[str, float]:
    """Return HR@10 of the model, of popularity, and of the visitor's own most frequent items."""
    if not held:
        return {}
    histories, targets = _questions(seen, held)
    counts = np.bincount(np.concatenate(seen), minlength=network.n_products + 1)
    popular = torch.from_numpy(counts[1:] / counts.sum()).float()
    hits = np.zeros(3)
    for first in range(0, len(targets), _ROWS):
        asked, wanted = histories[first : first + _ROWS], targets[first : first + _ROWS]
        own = torch.zeros(len(asked), network.n_products + 1)
        own.scatter_add_(1, asked, torch.ones(asked.shape))
        with torch.inference_mode():
            model = network.score(asked)
        everyone = popular.expand(len(asked), -1)
        hits += [_n_hits(scores, wanted) for scores in (model, everyone, own[:, 1:] + popular)]
    names = ("hr_at_10", "hr_at_10_popularity", "hr_at_10_own_items")
    rates = zip(names, (hits / len(targets)).tolist(), strict=True)
    return {"n_validated": float(len(targets)), **dict(rates)}


def _questions(
    seen: Sequence[NDArray[np.int64]], held: Sequence[tuple[int, NDArray[np.int64]]]
) -> tuple[Tensor, Tensor]:
    """Return ``int64[question, MAX_ITEMS]`` histories and the item that came next."""
    histories, targets = [], []
    for number, tail in held:
        row = np.concatenate((np.zeros(MAX_ITEMS, dtype=np.int64), seen[number], tail))
        for place in range(len(row) - len(tail), len(row)):
            histories.append(row[place - MAX_ITEMS : place])
            targets.append(row[place])
    return torch.from_numpy(np.stack(histories)), torch.from_numpy(np.array(targets))


def _n_hits(scores: Tensor, targets: Tensor) -> float:
    best = scores.topk(10, dim=1).indices + 1
    return float((best == targets[:, None]).any(dim=1).sum())
