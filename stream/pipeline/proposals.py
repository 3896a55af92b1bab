"""Candidates for a micro-batch of visitors, from the model or from nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress

import numpy as np
import structlog
from numpy.typing import NDArray

from stream.domain.sessions import product_history
from stream.errors import InferenceRejected, InferenceUnavailable
from stream.model_specs import RECOMMENDER
from stream.pipeline.scoring import Vocabulary, encode_sessions, infer_rows
from stream.pipeline.visits import Visit
from stream.ports import Inference, Tensors

log = structlog.get_logger(__name__)

#: Product and score, best first; to be gone through once, and only as far as wanted.
Candidates = Iterator[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Proposals:
    """What the model said of each row of a micro-batch.

    Attributes:
        version: Version of the model; empty when it was away.
        candidates: By row; a row without any product the model knows is absent.
        refused: By row; the model refused this row even alone.
        not_finite: Rows whose scores are no numbers.
        degraded: Whether the model was away, or answered with what is not in its vocabulary.
    """

    version: str = ""
    candidates: Mapping[int, Candidates] = field(default_factory=dict)
    refused: Mapping[int, InferenceRejected] = field(default_factory=dict)
    not_finite: frozenset[int] = frozenset()
    degraded: bool = False

    def is_degraded(self, row: int) -> bool:
        """Whether *row* must be answered from counts although the model may know its products."""
        return self.degraded or row in self.not_finite


class Proposer:
    """Asks the recommender of the version in use.

    ``vocabulary`` is None until the server has told it; until then every answer is degraded.
    """

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self.vocabulary: Vocabulary | None = None

    async def propose(self, visits: Sequence[Visit]) -> Proposals:
        """Return candidates for *visits*; the vocabulary is the same for all of them."""
        vocabulary = self.vocabulary
        if vocabulary is None:
            return Proposals(degraded=True)
        histories = [product_history(visit.session) for visit in visits]
        known = [i for i, history in enumerate(histories) if _is_known(history, vocabulary)]
        if not known:
            return Proposals(vocabulary.version)
        try:
            return await self._ask(vocabulary, [histories[i] for i in known], known)
        except InferenceUnavailable:
            return Proposals(degraded=True)

    async def _ask(
        self, vocabulary: Vocabulary, histories: Sequence[Sequence[str]], rows: Sequence[int]
    ) -> Proposals:
        def encode(some: Sequence[Sequence[str]]) -> Tensors:
            return {"items": encode_sessions(some, vocabulary)}

        outputs, accepted, refused = await infer_rows(
            self._inference, RECOMMENDER, vocabulary.version, histories, encode=encode
        )
        refusals = {rows[place]: error for place, error in refused}
        if not accepted:
            return Proposals(vocabulary.version, refused=refusals)
        ids, scores = outputs["candidates"], outputs["scores"]
        if ids.min() < 1 or ids.max() > len(vocabulary.product_ids):
            self._mistrust(vocabulary, ids)
            return Proposals(refused=refusals, degraded=True)
        finite = np.isfinite(scores).all(axis=1)
        asked = [rows[place] for place in accepted]
        named = _named(vocabulary, ids, scores)
        not_finite = frozenset(compress(asked, ~finite))
        if not_finite:
            log.warning("scores_not_finite", rows=len(not_finite), version=vocabulary.version)
        candidates = dict(compress(zip(asked, named, strict=True), finite))
        return Proposals(vocabulary.version, candidates, refusals, not_finite)

    def _mistrust(self, vocabulary: Vocabulary, ids: NDArray[np.int64]) -> None:
        """Forget *vocabulary*: the version that answers has another one, which is then read."""
        log.warning(
            "candidates_not_in_vocabulary",
            version=vocabulary.version,
            expected=f"1 to {len(vocabulary.product_ids)}",
            got=f"{ids.min()} to {ids.max()}",
        )
        if self.vocabulary is vocabulary:
            self.vocabulary = None


def _named(
    vocabulary: Vocabulary, ids: NDArray[np.int64], scores: NDArray[np.float32]
) -> list[Candidates]:
    """Return the candidates of each row, none of them named before somebody asks for it."""
    name = vocabulary.product_ids.__getitem__
    return [
        zip(map(name, of_row), scores_of_row, strict=True)
        for of_row, scores_of_row in zip((ids - 1).tolist(), scores.tolist(), strict=True)
    ]


def _is_known(history: Sequence[str], vocabulary: Vocabulary) -> bool:
    return any(product_id in vocabulary.index for product_id in history)
