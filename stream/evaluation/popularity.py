"""The baseline that knows nobody: what was acted on most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream.evaluation.histories import Row
from stream.evaluation.ranks import Scores


class Popularity:
    """Ranks products by how often they occur in what may be learnt from."""

    name = "popularity"

    def __init__(self, train: Sequence[Row], n_products: int) -> None:
        counts = np.bincount(np.concatenate(train), minlength=n_products + 1)
        self._scores = counts.astype(np.float32)

    def score(self, histories: Sequence[Row]) -> Scores:
        """Return the same counts for everyone, ``float32[history, n_products + 1]``."""
        return np.tile(self._scores, (len(histories), 1))
