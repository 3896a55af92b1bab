"""Trains the session transformer on what households bought, in order of time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from stream.model_specs import MAX_ITEMS, N_CANDIDATES, PADDING_ID
from stream.models.progress import Progress, paced, silent
from stream.models.served.recommender.network import SessionTransformer
from stream.models.threads import half_the_cores
from stream.models.validation import hit_rates, hold_out

NETWORK: Mapping[str, float] = {"width": 64, "n_blocks": 2, "n_heads": 2, "dropout": 0.0}
_MAX_STEPS = 20_000
_ROWS = 32
_N_NEGATIVES = 512
_NEGATIVE_POWER = 0.75
_LEARNING_RATE = 4e-3
_WARM_UP = 0.05


@dataclass(frozen=True, slots=True)
class TrainedRecommender:
    """A trained network, its vocabulary, and how well it did on what it had not seen.

    Attributes:
        product_ids: Entry ``i`` has index ``i + 1``; most frequent first.
        metrics: ``hr_at_10`` of the model beside baselines, on the validation tail.
    """

    network: SessionTransformer
    settings: Mapping[str, float]
    product_ids: tuple[str, ...]
    metrics: Mapping[str, float]


def train_recommender(
    sequences: Sequence[Sequence[str]],
    *,
    min_count: int = 20,
    max_products: int = 12_000,
    seconds: float = 80.0,
    max_steps: int = _MAX_STEPS,
    seed: int = 1,
    progress: Progress = silent,
) -> TrainedRecommender:
    """Return a recommender of the products that were bought at least *min_count* times.

    Args:
        sequences: Product ids a visitor acted on, oldest first, one sequence a visitor; only
            what happened before the time that the model is to answer for.

    Raises:
        ValueError: Fewer products than candidates to propose.
    """
    product_ids = vocabulary_of(sequences, min_count, max_products)
    rows = indexed(sequences, product_ids)
    draw = np.random.default_rng(seed)
    seen, held = hold_out(rows, draw)
    settings = {"n_products": len(product_ids), "length": MAX_ITEMS, **NETWORK}
    shares = paced("recommender", max_steps, seconds, progress)
    with half_the_cores(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _new_network(settings)
        n_steps = _fit(network, _Windows(seen, draw), shares)
    network.eval()
    metrics = {"n_steps": float(n_steps), **hit_rates(network, seen, held)}
    return TrainedRecommender(network, settings, product_ids, metrics)


def vocabulary_of(
    sequences: Sequence[Sequence[str]], min_count: int, max_products: int
) -> tuple[str, ...]:
    """Return the product ids worth knowing, most frequent first, ties by id."""
    counts = Counter(product_id for sequence in sequences for product_id in sequence)
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    kept = tuple(product_id for product_id, n in ranked[:max_products] if n >= min_count)
    if len(kept) < N_CANDIDATES:
        raise ValueError(
            f"expected at least {N_CANDIDATES} products with {min_count} sales, got {len(kept)}"
        )
    return kept


def indexed(
    sequences: Sequence[Sequence[str]], product_ids: Sequence[str]
) -> list[NDArray[np.int64]]:
    """Return the sequences as indices: unknown products left out, runs of one product merged."""
    index = {product_id: i for i, product_id in enumerate(product_ids, start=1)}
    rows = []
    for sequence in sequences:
        row = np.array([index[item] for item in sequence if item in index], dtype=np.int64)
        if len(row):
            rows.append(row[np.concatenate(([True], row[1:] != row[:-1]))])
    return rows


class _Windows:
    """Draws windows of ``MAX_ITEMS`` inputs and their next items from all rows at once."""

    def __init__(self, rows: Sequence[NDArray[np.int64]], draw: np.random.Generator) -> None:
        padding = np.full(MAX_ITEMS, PADDING_ID, dtype=np.int64)
        self._items = np.concatenate([part for row in rows for part in (padding, row)])
        self._is_item = np.flatnonzero(self._items)
        self._draw = draw
        self.counts = np.bincount(self._items)
        self.counts[PADDING_ID] = 0

    def batch(self) -> tuple[Tensor, Tensor]:
        """Return inputs and targets, ``int64[batch, MAX_ITEMS]``; padded targets do not count."""
        last = self._draw.choice(self._is_item, _ROWS)
        windows = self._items[last[:, None] + np.arange(-MAX_ITEMS, 1)]
        for window in windows:
            _cut_to_one_row(window)
        whole = torch.from_numpy(windows)
        return whole[:, :-1], whole[:, 1:]


def _cut_to_one_row(window: NDArray[np.int64]) -> None:
    """Pad what comes before the last padding: it belongs to another visitor."""
    pads = np.flatnonzero(window == PADDING_ID)
    if len(pads):
        window[: pads[-1]] = PADDING_ID


def _new_network(settings: Mapping[str, float]) -> SessionTransformer:
    whole = {name: value if name == "dropout" else int(value) for name, value in settings.items()}
    return SessionTransformer(**whole)  # type: ignore[arg-type]


def _fit(network: SessionTransformer, windows: _Windows, shares: Iterable[float]) -> int:
    loss_of = _SampledSoftmax(windows.counts)
    with torch.no_grad():
        network.popularity.copy_(loss_of.log_share)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=0.01)
    network.train()
    n_steps = 0
    for share in shares:
        for group in optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * _schedule(share)
        loss = loss_of(network, *windows.batch())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        n_steps += 1
    return n_steps


def _schedule(share: float) -> float:
    """Linear warm-up, then half a cosine down to 2 %."""
    if share < _WARM_UP:
        return (share + 0.001) / _WARM_UP
    return 0.02 + 0.49 * (1 + math.cos(math.pi * (share - _WARM_UP) / (1 - _WARM_UP)))


class _SampledSoftmax:
    """Cross-entropy against negatives that all positions of a batch share.

    Logits are corrected by the log of how often each product is drawn, so that the expected
    gradient is near that of the full softmax (Bengio and Senécal 2008, section III).
    """

    def __init__(self, counts: NDArray[np.int64]) -> None:
        raised = torch.from_numpy(counts).double() ** _NEGATIVE_POWER
        self._weights = (raised / raised.sum()).float()
        self._log_drawn = (self._weights * _N_NEGATIVES).clamp(min=1e-9).log()
        total = max(1, int(counts.sum()))
        self.log_share = torch.from_numpy(counts / total).float().clamp(min=1e-9).log()

    def __call__(self, network: SessionTransformer, inputs: Tensor, targets: Tensor) -> Tensor:
        counted = targets != PADDING_ID
        every = network(inputs)
        hidden, wanted = every[counted], targets[counted]
        negatives = torch.multinomial(self._weights, _N_NEGATIVES, replacement=True)
        weights, bias = network.products.weight, network.popularity
        right = (hidden * weights[wanted]).sum(1) + bias[wanted] - self._log_drawn[wanted]
        offset = bias[negatives] - self._log_drawn[negatives]
        wrong = torch.addmm(offset, hidden, weights[negatives].T)
        strength = network.repeat_strength(hidden)
        own = _by_age(network.repeats)
        right_own = ((targets[:, :, None] == inputs[:, None, :]) * own).sum(2)[counted]
        wrong_own = (own @ (inputs[:, :, None] == negatives).to(own.dtype))[counted]
        right, wrong = right + strength[:, 0] * right_own, wrong + strength * wrong_own
        wrong = wrong.masked_fill(wanted[:, None] == negatives, -1e9)
        logits = torch.cat((right[:, None], wrong), dim=1)
        return functional.cross_entropy(logits, torch.zeros_like(wanted))


def _by_age(repeats: Tensor) -> Tensor:
    """Return ``float32[position, item]``: the weight of an item's age as each position sees it."""
    length = len(repeats)
    places = torch.arange(length)
    age = places[:, None] - places[None, :]
    return repeats[length - 1 - age.clamp(min=0)] * (age >= 0)
