"""Candidates for a micro-batch of visitors, from the model or from nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stream.domain.sessions import product_history
from stream.errors import InferenceRejected, InferenceUnavailable
from stream.model_specs import RECOMMENDER
from stream.pipeline.scoring import Vocabulary, encode_sessions, infer_rows
from stream.pipeline.visits import Visit
from stream.ports import Inference, Tensors

#: Product and score, best first.
Candidates = list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Proposals:
    """What the model said of each row of a micro-batch.

    Attributes:
        version: Version of the model; empty when it was away.
        candidates: By row; a row without any product the model knows is absent.
        refused: By row; the model refused this row even alone.
        degraded: Whether the model was away.
    """

    version: str = ""
    candidates: Mapping[int, Candidates] = field(default_factory=dict)
    refused: Mapping[int, InferenceRejected] = field(default_factory=dict)
    degraded: bool = False


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
        candidates: dict[int, Candidates] = {}
        if accepted:
            ids, scores = outputs["candidates"].tolist(), outputs["scores"].tolist()
            product_ids = vocabulary.product_ids
            for place, of_row, scores_of_row in zip(accepted, ids, scores, strict=True):
                named = [product_ids[index - 1] for index in of_row]
                candidates[rows[place]] = list(zip(named, scores_of_row, strict=True))
        return Proposals(
            vocabulary.version, candidates, {rows[place]: error for place, error in refused}
        )


def _is_known(history: Sequence[str], vocabulary: Vocabulary) -> bool:
    return any(product_id in vocabulary.index for product_id in history)
