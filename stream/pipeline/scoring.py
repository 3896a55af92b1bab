"""Rows to tensors and back: encoding by the model's specification, bisection of refused rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from stream.domain.history import History, without_runs
from stream.errors import InferenceRejected
from stream.model_specs import MAX_ITEMS, PADDING_ID, ModelSpec
from stream.ports import Inference, Tensors

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The products of one recommender version.

    Attributes:
        version: Triton's version of the model.
        product_ids: Entry ``i`` has index ``i + 1`` in the model's tensors.
        index: The inverse.
    """

    version: str
    product_ids: tuple[str, ...]
    index: Mapping[str, int]

    @classmethod
    def of(cls, version: str, product_ids: Sequence[str]) -> Vocabulary:
        """Return the vocabulary of *version*, in the order that Triton gave it."""
        index = {product_id: i for i, product_id in enumerate(product_ids, start=1)}
        return cls(version, tuple(product_ids), index)


def encode_sessions(histories: Sequence[History], vocabulary: Vocabulary) -> Tensors:
    """Left-pad histories into one batch; products that the vocabulary does not know are left out.

    Returns:
        ``items`` and ``kinds``, ``int64[batch, MAX_ITEMS]`` each, newest last, ``PADDING_ID`` on the
        left, because the model reads its answer from the last position. A row may be all padding.

    Raises:
        ValueError: *histories* is empty; Triton rejects a zero-sized batch.
    """
    if not histories:
        raise ValueError("encode_sessions: expected at least one history, got none")
    items = np.full((len(histories), MAX_ITEMS), PADDING_ID, dtype=np.int64)
    kinds = np.zeros_like(items)
    for row, history in enumerate(histories):
        known, done = (column[-MAX_ITEMS:] for column in _known(history, vocabulary))
        if known:
            items[row, -len(known) :] = known
            kinds[row, -len(known) :] = done
    return {"items": items, "kinds": kinds}


def _known(history: History, vocabulary: Vocabulary) -> tuple[Sequence[int], Sequence[int]]:
    """Return index and kind of the acts on known products; what they leave side by side is a run."""
    indices = [*map(vocabulary.index.get, history.products)]
    if None not in indices:
        return indices, history.kinds  # type: ignore[return-value]
    return without_runs([*filter(None, indices)], [*compress(history.kinds, indices)])


async def infer_rows(
    inference: Inference,
    spec: ModelSpec,
    version: str,
    items: Sequence[Item],
    *,
    encode: Callable[[Sequence[Item]], Tensors],
    halving: bool = True,
) -> tuple[dict[str, NDArray[Any]], list[int], list[tuple[int, InferenceRejected]]]:
    """Ask for all rows; where the server refuses, halve until the refused rows stand alone.

    Args:
        halving: Whether to; else one request that is refused refuses all of its rows.

    Returns:
        The outputs of the accepted rows, the positions of these rows in *items*, and the
        refused positions each with its error.

    Raises:
        InferenceUnavailable: The model gave no answer.
    """
    accepted: list[tuple[int, int, Tensors]] = []
    refused: list[tuple[int, InferenceRejected]] = []
    spans = [(0, len(items))]
    while spans:
        start, stop = spans.pop()
        try:
            outputs = await inference.infer(spec, version, encode(items[start:stop]))
        except InferenceRejected as error:
            if stop - start == 1 or not halving:
                refused.extend((place, error) for place in range(start, stop))
            else:
                middle = (start + stop) // 2
                spans += [(middle, stop), (start, middle)]
        else:
            accepted.append((start, stop, outputs))
    return _joined(accepted, spec), _positions(accepted), refused


def _joined(
    accepted: Sequence[tuple[int, int, Tensors]], spec: ModelSpec
) -> dict[str, NDArray[Any]]:
    if not accepted:
        return {}
    if len(accepted) == 1:
        return dict(accepted[0][2])
    return {
        tensor.name: np.concatenate([outputs[tensor.name] for _, _, outputs in accepted])
        for tensor in spec.outputs
    }


def _positions(accepted: Sequence[tuple[int, int, Tensors]]) -> list[int]:
    return [i for start, stop, _ in accepted for i in range(start, stop)]
