"""The recommender that Triton serves, asked in the process that trained it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from stream.evaluation.histories import Histories, Row, padded
from stream.evaluation.ranks import Scores
from stream.model_specs import MAX_ITEMS
from stream.models.recommender import TrainedRecommender


class Ours:
    """Scores products of its vocabulary by the served network; others come last."""

    name = "storestream"

    def __init__(self, trained: TrainedRecommender, histories: Histories) -> None:
        self._network = trained.network
        index_of = {product_id: at for at, product_id in enumerate(histories.product_ids, start=1)}
        known = [index_of[product_id] for product_id in trained.product_ids]
        self._known = np.array(known, dtype=np.int64)
        self._to_vocabulary = np.zeros(len(histories.product_ids) + 1, dtype=np.int64)
        self._to_vocabulary[self._known] = np.arange(1, len(known) + 1)

    def score(self, histories: Sequence[Row]) -> Scores:
        """Return the logits, ``float32[history, n_products + 1]``, from the last ``MAX_ITEMS``."""
        rows = [self._newest(history) for history in histories]
        scores = np.full((len(rows), len(self._to_vocabulary)), -np.inf, dtype=np.float32)
        with torch.inference_mode():
            logits = self._network.score(torch.from_numpy(padded([*rows, _EMPTY])))
        scores[:, self._known] = logits[: len(rows)].numpy()
        return scores

    def _newest(self, history: Row) -> Row:
        indices = self._to_vocabulary[history]
        return indices[indices > 0][-MAX_ITEMS:]


#: Keeps one column in a batch of visitors that the vocabulary knows nothing of.
_EMPTY = np.zeros(1, dtype=np.int64)
