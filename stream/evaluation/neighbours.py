"""VMIS-kNN, the session kNN that is a store's honest baseline on a CPU.

Kersbergen, Sprangers and Schelter (2022), "Serenade: Low-Latency Session-Based Recommendation in
e-Commerce at Scale", section 3: of the sessions that share a product with the visitor's the most
recent are looked at; products that both have count by how lately the visitor had them; the nearest
sessions vote for theirs, by their nearness, by the place of the newest product in common, and by
how rare a product is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream.evaluation.ranks import Scores
from stream.models.acts import Acts, Row

#: A product in common that is older than so many of the visitor's counts for nothing.
_N_PLACES = 10


@dataclass(frozen=True, slots=True)
class Reach:
    """How far it looks.

    Attributes:
        n_recent: Sessions looked at a product, the most recent ones; *m* in the paper.
        n_nearest: Sessions that vote; *k* in the paper.
    """

    n_recent: int = 500
    n_nearest: int = 100


class Neighbours:
    """Ranks products by what visitors with like histories acted on."""

    name = "vmis-knn"

    def __init__(self, train: Sequence[Row], n_products: int, reach: Reach | None = None) -> None:
        """Index *train*, whose rows are sessions in order of time; later ones are more recent."""
        self._reach = reach or Reach()
        self._n_products = n_products
        self._sessions = [np.unique(row) for row in train]
        products = np.concatenate(self._sessions)
        owners = np.repeat(np.arange(len(train)), [len(row) for row in self._sessions])
        order = np.lexsort((-owners, products))
        self._owners = owners[order]
        n_having = np.bincount(products, minlength=n_products + 2)
        self._from = np.concatenate(([0], np.cumsum(n_having)))
        # 1 for a product that every session has, as the reference implementation adds it.
        rarity = np.log(len(train) / np.maximum(1, n_having[: n_products + 1]))
        self._rarity = rarity.astype(np.float32)

    def score(self, histories: Sequence[Acts]) -> Scores:
        """Return the votes, ``float32[history, n_products + 1]``."""
        scores = np.zeros((len(histories), self._n_products + 1), dtype=np.float32)
        for row, history in zip(scores, histories, strict=True):
            self._vote(history.items, row)
        return scores

    def _vote(self, history: Row, scores: NDArray[np.float32]) -> None:
        products = newest_first(history)
        sessions, nearness, place = self._nearest(products, len(history))
        for session, near, at in zip(
            sessions.tolist(), nearness.tolist(), place.tolist(), strict=True
        ):
            scores[self._sessions[session]] += near * max(0.0, 1 - at / _N_PLACES)
        scores *= self._rarity

    def _nearest(self, products: Row, length: int) -> tuple[Row, NDArray[np.float64], Row]:
        """Return the nearest sessions, how near they are, and the place of the newest in common.

        Places count from 1 for the visitor's newest product.
        """
        looked_at = [self._recent(product) for product in products.tolist()]
        owners = np.concatenate(looked_at) if looked_at else np.empty(0, dtype=np.int64)
        places = np.repeat(np.arange(1, len(products) + 1), [len(part) for part in looked_at])
        sessions, first, inverse = np.unique(owners, return_index=True, return_inverse=True)
        nearness = np.bincount(inverse, weights=(length - places + 1) / max(1, length))
        # Among equals the more recent, which has the higher number.
        best = np.lexsort((-sessions, -nearness))[: self._reach.n_nearest]
        return sessions[best], nearness[best], places[first[best]]

    def _recent(self, product: int) -> Row:
        start, end = self._from[product], self._from[product + 1]
        recent: Row = self._owners[start : min(end, start + self._reach.n_recent)]
        return recent


def newest_first(history: Row) -> Row:
    """Return each product of *history* once, by its newest place."""
    backwards = history[::-1]
    _, first = np.unique(backwards, return_index=True)
    newest: Row = backwards[np.sort(first)]
    return newest
