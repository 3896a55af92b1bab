from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.adapters.triton_tensors import check_model, to_inputs, to_outputs
from stream.errors import InferenceRejected, InferenceUnavailable, ModelMismatch
from stream.model_specs import MAX_ITEMS, N_CANDIDATES, RECOMMENDER, ModelSpec


class Answer:
    """What the client hands out: arrays by name."""

    def __init__(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._arrays = arrays

    def as_numpy(self, name: str) -> NDArray[Any] | None:
        return self._arrays.get(name)


def make_answer(n_rows: int = 2, n_candidates: int = N_CANDIDATES) -> dict[str, NDArray[Any]]:
    return {
        "candidates": np.ones((n_rows, n_candidates), np.int64),
        "scores": np.ones((n_rows, n_candidates), np.float32),
    }


def make_metadata(spec: ModelSpec, *, items: int = MAX_ITEMS) -> Any:
    inputs = [
        SimpleNamespace(name=name, datatype="INT64", shape=[-1, length])
        for name, length in (("items", items), ("kinds", MAX_ITEMS))
    ]
    outputs = [
        SimpleNamespace(name=tensor.name, datatype=tensor.datatype, shape=[-1, *tensor.shape])
        for tensor in spec.outputs
    ]
    return SimpleNamespace(inputs=inputs, outputs=outputs)


def test_rows_that_fit_are_encoded() -> None:
    rows = np.ones((3, MAX_ITEMS), np.int64)

    tensors, n_rows = to_inputs(RECOMMENDER, {"items": rows, "kinds": rows})

    assert n_rows == 3
    assert [tensor.name() for tensor in tensors] == ["items", "kinds"]
    assert [tensor.shape() for tensor in tensors] == [[3, MAX_ITEMS]] * 2


@pytest.mark.parametrize(
    ("items", "got"),
    [
        (np.ones((3, 7), np.int64), r"got int64\[3, 7\]"),
        (np.ones((3, MAX_ITEMS), np.int32), r"got int32\[3, 50\]"),
        (np.ones((0, MAX_ITEMS), np.int64), "got 0"),
        (np.ones((257, MAX_ITEMS), np.int64), "got 257"),
    ],
)
def test_rows_that_do_not_fit_are_rejected_saying_what_came(items: NDArray[Any], got: str) -> None:
    with pytest.raises(InferenceRejected, match=rf"recommender\.items: expected .*{got}"):
        to_inputs(RECOMMENDER, {"items": items, "kinds": items})


def test_an_answer_that_fits_is_returned() -> None:
    outputs = to_outputs(RECOMMENDER, Answer(make_answer()), 2)

    assert set(outputs) == {"candidates", "scores"}


def test_an_empty_tensor_is_no_answer() -> None:
    empty = {**make_answer(), "scores": np.empty((0,), np.float32)}

    with pytest.raises(InferenceUnavailable, match=r"expected float32\[2, 64\], got float32\[0\]"):
        to_outputs(RECOMMENDER, Answer(empty), 2)


def test_a_missing_tensor_is_no_answer() -> None:
    with pytest.raises(InferenceUnavailable, match=r"recommender\.candidates: .*got none"):
        to_outputs(RECOMMENDER, Answer({}), 2)


def test_a_row_too_few_is_no_answer() -> None:
    with pytest.raises(InferenceUnavailable, match="got int64"):
        to_outputs(RECOMMENDER, Answer(make_answer(n_rows=1)), 2)


def test_a_model_that_fits_passes() -> None:
    check_model(RECOMMENDER, make_metadata(RECOMMENDER), SimpleNamespace(max_batch_size=256))


def test_a_model_with_another_length_is_named_with_expected_and_got() -> None:
    metadata = make_metadata(RECOMMENDER, items=20)

    with pytest.raises(
        ModelMismatch,
        match=r"recommender.inputs: expected items INT64\[-1, 50\], .*got items INT64\[-1, 20\]",
    ):
        check_model(RECOMMENDER, metadata, SimpleNamespace(max_batch_size=256))


def test_a_model_that_takes_fewer_rows_is_refused() -> None:
    with pytest.raises(ModelMismatch, match="max_batch_size: expected 256 rows, got 8"):
        check_model(RECOMMENDER, make_metadata(RECOMMENDER), SimpleNamespace(max_batch_size=8))
