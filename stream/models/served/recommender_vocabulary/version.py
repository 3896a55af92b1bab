"""A version of the vocabulary: the product ids that a version of the recommender knows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils


class Version:
    """Answers spans of the vocabulary; it is too long for one message in a large store."""

    def __init__(self, product_ids: Sequence[bytes]) -> None:
        self._product_ids = product_ids

    def execute(self, requests: list[Any]) -> list[Any]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        first, n_wanted = pb_utils.get_input_tensor_by_name(request, "span").as_numpy().tolist()
        if first < 0 or n_wanted < 1:
            refusal = f"span: expected [first >= 0, wanted >= 1], got [{first}, {n_wanted}]"
            error = pb_utils.TritonError(refusal, pb_utils.TritonError.INVALID_ARG)
            return pb_utils.InferenceResponse(error=error)
        product_ids = np.array(self._product_ids[first : first + n_wanted], dtype=np.object_)
        return pb_utils.InferenceResponse([pb_utils.Tensor("product_ids", product_ids)])


def load(_args: dict[str, str]) -> Version:
    """Return the version that lies beside this file."""
    stored = json.loads(Path(__file__).with_name("vocabulary.json").read_text("utf-8"))
    return Version([product_id.encode() for product_id in stored])
