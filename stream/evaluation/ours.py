"""The recommender that Triton serves, trained and asked in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from stream.evaluation.histories import Histories
from stream.evaluation.questions import Questions, Split
from stream.evaluation.ranks import Scores
from stream.models.acts import Acts, merged
from stream.models.fitting import Budget
from stream.models.progress import Progress, silent
from stream.models.recommender import (
    NETWORK,
    TrainedRecommender,
    fit_recommender,
    vocabulary_of,
)
from stream.models.validation import Held, padded


@dataclass(frozen=True, slots=True)
class Without:
    """Ours without one of its parts, to see what that is worth.

    Attributes:
        network_settings: Instead of ours.
        moments: Whether what was done at once is learnt as if it were done one after the other.
    """

    name: str = ""
    network_settings: Mapping[str, float] = field(default_factory=dict)
    moments: bool = False

    def prepared(self, acts: Acts) -> Acts:
        """Return *acts* as they are learnt from."""
        return acts._replace(at_ms=np.arange(len(acts.items))) if self.moments else acts


WHOLE = Without()
ABLATIONS = (
    Without("without kinds", {"reads_kinds": False}),
    Without("without neighbours", {"n_neighbours": 0}),
    Without("line by line", moments=True),
    Without("line by line, without kinds", {"reads_kinds": False}, moments=True),
)

#: More than the trainer holds back by itself: where it may take minutes, less is left to chance.
_N_ASKED = 10_000


class Ours:
    """Scores products of its vocabulary by the served network; others come last."""

    name = "storestream"

    def __init__(self, trained: TrainedRecommender, histories: Histories, name: str = name) -> None:
        self.name = name
        self.trained = trained
        self._vocabulary = _Vocabulary(trained.product_ids, histories)

    def score(self, histories: Sequence[Acts]) -> Scores:
        """Return the logits, ``float32[history, n_products + 1]``, from the last ``MAX_ITEMS``."""
        vocabulary = self._vocabulary
        rows = [vocabulary.translated(history) for history in histories]
        scores = np.full((len(rows), vocabulary.n_known + 1), -np.inf, dtype=np.float32)
        with torch.inference_mode():
            scores[:, vocabulary.known] = self.trained.network.score(*padded(rows)).numpy()
        return scores


def learn_ours(
    split: Split,
    histories: Histories,
    *,
    min_count: int,
    budget: Budget,
    seed: int,
    without: Without = WHOLE,
    progress: Progress = silent,
) -> Ours:
    """Return the recommender that learnt and validated on *split*.

    Args:
        min_count: Of a product of its vocabulary.
    """
    n_products = len(histories.product_ids)
    product_ids = vocabulary_of(histories.named(split.train), min_count, n_products)
    vocabulary = _Vocabulary(product_ids, histories)
    trained = fit_recommender(
        product_ids,
        [without.prepared(vocabulary.translated(acts)) for acts in split.train],
        vocabulary.held(split.validation),
        budget=budget,
        seed=seed,
        network_settings={**NETWORK, **without.network_settings},
        progress=progress,
    )
    return Ours(trained, histories, without.name or Ours.name)


class _Vocabulary:
    """Indices of a data set's products to those of a model, and back."""

    def __init__(self, product_ids: Sequence[str], histories: Histories) -> None:
        index_of = {product_id: at for at, product_id in enumerate(histories.product_ids, start=1)}
        self.n_known = len(histories.product_ids)
        self.known = np.array([index_of[product_id] for product_id in product_ids], dtype=np.int64)
        self._to_model = np.zeros(self.n_known + 1, dtype=np.int64)
        self._to_model[self.known] = np.arange(1, len(product_ids) + 1)

    def translated(self, acts: Acts) -> Acts:
        """Return *acts* as the model reads them: unknown products left out, runs of one merged."""
        return merged(acts._replace(items=self._to_model[acts.items]))

    def held(self, questions: Questions) -> Held:
        """Return a question for each answer that the model knows."""
        pairs: list[tuple[Acts, int]] = []
        for history, answers in zip(questions.histories, questions.answers, strict=True):
            known = [answer for answer in self._to_model[answers].tolist() if answer]
            acts = self.translated(history)
            pairs += [(acts, answer) for answer in known]
        return Held.of(pairs, _N_ASKED)
