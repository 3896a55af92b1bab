"""Trains the session transformer on what visitors acted on, in order of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from stream.model_specs import MAX_ITEMS, N_CANDIDATES
from stream.models.acts import Acts, History, indexed
from stream.models.checkpoint import Checkpoint
from stream.models.fitting import Budget, Fitting
from stream.models.neighbours import nearest
from stream.models.progress import Progress, silent
from stream.models.served.recommender.network import SessionTransformer
from stream.models.threads import half_the_cores
from stream.models.validation import Held, hold_out, metrics_of, ndcg, places_of
from stream.models.windows import Windows

#: Chosen on validation, see ``benchmarks/models.md``.
NETWORK: Mapping[str, float] = {
    "width": 64,
    "n_blocks": 1,
    "n_heads": 2,
    "dropout": 0.3,
    "temperature": 0.07,
    "n_neighbours": 100,
}
#: Of the neighbour term; the one that does best on validation is taken.
_NEIGHBOUR_WEIGHTS = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0)
_N_WEIGHED = 2_000
_BUDGET = Budget(seconds=80.0)
_FRACTIONS = ("dropout", "temperature", "neighbour_weight")


@dataclass(frozen=True, slots=True)
class TrainedRecommender:
    """A trained network, its vocabulary, and how well it did on what it had not seen.

    Attributes:
        product_ids: Entry ``i`` has index ``i + 1``; most frequent first.
        metrics: ``hr_at_10`` of the model beside baselines, on what was held back.
    """

    network: SessionTransformer
    settings: Mapping[str, float]
    product_ids: tuple[str, ...]
    metrics: Mapping[str, float]


def train_recommender(
    histories: Sequence[History],
    *,
    min_count: int = 20,
    max_products: int = 12_000,
    budget: Budget = _BUDGET,
    seed: int = 1,
    checkpoint: Checkpoint | None = None,
    progress: Progress = silent,
) -> TrainedRecommender:
    """Return a recommender of the products that were acted on at least *min_count* times.

    The last items of some visitors are held back, to end the training by and to weigh its terms.

    Args:
        histories: What visitors did, one each; only what happened before the time that the model
            is to answer for.
        checkpoint: As of ``fit_recommender``.

    Raises:
        ValueError: Fewer products than candidates to propose, or nobody came back to a second one.
    """
    product_ids = vocabulary_of([each.product_ids for each in histories], min_count, max_products)
    rows = indexed(histories, product_ids)
    seen, held = hold_out(rows, np.random.default_rng(seed))
    return fit_recommender(
        product_ids,
        seen,
        held,
        budget=budget,
        seed=seed,
        checkpoint=checkpoint,
        progress=progress,
    )


def fit_recommender(
    product_ids: Sequence[str],
    rows: Sequence[Acts],
    held: Held,
    *,
    budget: Budget,
    seed: int = 1,
    network_settings: Mapping[str, float] = NETWORK,
    checkpoint: Checkpoint | None = None,
    progress: Progress = silent,
) -> TrainedRecommender:
    """Return a recommender that learnt from *rows* and was validated by *held*.

    Args:
        rows: What visitors did, one each, by indices into *product_ids* plus one.
        network_settings: Of ``SessionTransformer``; others than ours only to see what they are worth.
        checkpoint: Where the training is kept, to go on from when it was stopped.

    Raises:
        ValueError: No visitor came back to a second product.
    """
    windows = Windows(rows)
    if not windows.n_steps:
        raise ValueError("expected a visitor who came back to a second product, got none")
    settings = {"n_products": len(product_ids), "length": MAX_ITEMS, **network_settings}
    with half_the_cores(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _new_network(settings)
        with torch.no_grad():
            network.popularity.copy_(_log_shares(rows, len(product_ids)))
        fitting = Fitting(network, windows, held, seed=seed, checkpoint=checkpoint)
        took = fitting.run(budget, progress)
        _add_neighbours(network, rows, held)
    settings["neighbour_weight"] = network.neighbour_weight
    metrics = {**took, **metrics_of(network, rows, held)}
    return TrainedRecommender(network, settings, tuple(product_ids), metrics)


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


def _new_network(settings: Mapping[str, float]) -> SessionTransformer:
    whole = {name: value if name in _FRACTIONS else int(value) for name, value in settings.items()}
    return SessionTransformer(**whole)  # type: ignore[arg-type]


def _log_shares(rows: Sequence[Acts], n_products: int) -> torch.Tensor:
    """Return the log of how often each index occurs among all, ``float32[n_products + 1]``."""
    counts = np.bincount(np.concatenate([row.items for row in rows]), minlength=n_products + 1)
    return torch.from_numpy(counts / counts.sum()).float().clamp(min=1e-9).log()


def _add_neighbours(network: SessionTransformer, rows: Sequence[Acts], held: Held) -> None:
    """Tell *network* the neighbours of each product, and give them the weight that does best."""
    n_neighbours = network.neighbours.shape[1]
    neighbours, nearness = nearest([row.items for row in rows], network.n_products, n_neighbours)
    network.neighbours.copy_(neighbours)
    network.nearness.copy_(nearness)
    weighed = held.some(_N_WEIGHED)
    reached = dict[float, float]()
    for weight in _NEIGHBOUR_WEIGHTS:
        network.neighbour_weight = weight
        reached[weight] = ndcg(places_of(network.score, weighed))
    network.neighbour_weight = max(_NEIGHBOUR_WEIGHTS, key=reached.__getitem__)
