"""The baselines that compute nothing: what everybody acted on most, and what the visitor did."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream.evaluation.ranks import Scores
from stream.models.acts import Acts


class Popularity:
    """Ranks products by how often they occur in what may be learnt from."""

    name = "popularity"

    def __init__(self, train: Sequence[Acts], n_products: int) -> None:
        counts = np.bincount(np.concatenate([row.items for row in train]), minlength=n_products + 1)
        self._scores = counts.astype(np.float32)

    def score(self, histories: Sequence[Acts]) -> Scores:
        """Return the same counts for everyone, ``float32[history, n_products + 1]``."""
        return np.tile(self._scores, (len(histories), 1))


class Again:
    """Ranks first what the visitor acted on most in all the time that is known, then the popular.

    It remembers more of a visitor than a session does.
    """

    name = "bought again"

    def __init__(self, train: Sequence[Acts], n_products: int) -> None:
        counts = np.bincount(np.concatenate([row.items for row in train]), minlength=n_products + 1)
        self._less_than_one = (counts / (1 + counts.max())).astype(np.float32)

    def score(self, histories: Sequence[Acts]) -> Scores:
        """Return counts by visitor, ``float32[history, n_products + 1]``."""
        n_scores = len(self._less_than_one)
        own = np.stack([np.bincount(history.items, minlength=n_scores) for history in histories])
        return np.asarray(own + self._less_than_one, dtype=np.float32)
