"""What one version of the recommender says of some rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from stream.domain.history import History
from stream.errors import InferenceRejected
from stream.model_specs import N_CANDIDATES, RECOMMENDER
from stream.pipeline.scoring import Vocabulary, encode_sessions, infer_rows
from stream.ports import Inference, Tensors

#: Product and score, best first; to be gone through once, and only as far as wanted.
Candidates = Iterator[tuple[str, float]]
#: What visitors did, by row.
Histories = Mapping[int, History]


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """The answers to the rows that a version was asked about and did not refuse.

    Attributes:
        rows: Of each answer, in the order of the tensors.
        ids: ``int64[row, candidate]``, indices into the vocabulary, best first.
        scores: ``float32[row, candidate]``.
        refused: By row; the model refused this row even alone.
    """

    vocabulary: Vocabulary
    rows: Sequence[int] = ()
    ids: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, N_CANDIDATES), np.int64))
    scores: NDArray[np.float32] = field(
        default_factory=lambda: np.zeros((0, N_CANDIDATES), np.float32)
    )
    refused: Mapping[int, InferenceRejected] = field(default_factory=dict)

    @property
    def is_foreign(self) -> bool:
        """Whether a candidate is not in the vocabulary: then no name would be the right one."""
        ids = self.ids
        return bool(ids.size) and bool(
            ids.min() < 1 or ids.max() > len(self.vocabulary.product_ids)
        )

    def not_finite(self) -> frozenset[int]:
        """Return the rows whose scores are no numbers."""
        return frozenset(compress(self.rows, ~np.isfinite(self.scores).all(axis=1)))

    def candidates(self) -> dict[int, Candidates]:
        """Return the candidates of each row, none of them named before somebody asks for it."""
        name = self.vocabulary.product_ids.__getitem__
        named = zip((self.ids - 1).tolist(), self.scores.tolist(), strict=True)
        return {
            row: zip(map(name, of_row), scores_of_row, strict=True)
            for row, (of_row, scores_of_row) in zip(self.rows, named, strict=True)
        }

    def best(self, n_items: int) -> list[frozenset[str]]:
        """Return the first *n_items* candidates of each row."""
        name = self.vocabulary.product_ids.__getitem__
        return [frozenset(map(name, of_row)) for of_row in (self.ids[:, :n_items] - 1).tolist()]


async def ask(
    inference: Inference, vocabulary: Vocabulary, histories: Histories, *, halving: bool = True
) -> Said:
    """Ask for the rows of which the vocabulary knows a product; *halving* as of ``infer_rows``.

    Raises:
        InferenceUnavailable: The model gave no answer.
    """
    rows = [row for row, history in histories.items() if _is_known(history, vocabulary)]
    if not rows:
        return Said(vocabulary)

    def encode(some: Sequence[History]) -> Tensors:
        return encode_sessions(some, vocabulary)

    asked = [histories[row] for row in rows]
    outputs, accepted, refused = await infer_rows(
        inference, RECOMMENDER, vocabulary.version, asked, encode=encode, halving=halving
    )
    refusals = {rows[place]: error for place, error in refused}
    if not accepted:
        return Said(vocabulary, refused=refusals)
    answered = [rows[place] for place in accepted]
    return Said(vocabulary, answered, outputs["candidates"], outputs["scores"], refusals)


def _is_known(history: History, vocabulary: Vocabulary) -> bool:
    return any(product_id in vocabulary.index for product_id in history.products)
