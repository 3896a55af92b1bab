from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import InferenceRejected, InferenceUnavailable
from stream.model_specs import MAX_ITEMS, PADDING_ID, RECOMMENDER
from stream.pipeline.scoring import Vocabulary, encode_sessions, infer_rows
from stream.ports import Tensors
from tests.unit.pipeline.fakes import Model

VOCABULARY = Vocabulary.of("3", ["milk", "bread", "eggs"])


def test_history_is_padded_on_the_left() -> None:
    rows = encode_sessions([["bread", "milk"]], VOCABULARY)

    assert rows.shape == (1, MAX_ITEMS)
    assert rows.dtype == np.int64
    assert rows[0, -2:].tolist() == [2, 1]
    assert set(rows[0, :-2].tolist()) == {PADDING_ID}


def test_unknown_products_leave_no_gap() -> None:
    rows = encode_sessions([["bread", "soap", "milk"]], VOCABULARY)

    assert rows[0, -3:].tolist() == [PADDING_ID, 2, 1]


def test_only_the_newest_items_are_read() -> None:
    rows = encode_sessions([["eggs"] + ["milk"] * MAX_ITEMS], VOCABULARY)

    assert set(rows[0].tolist()) == {1}


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one history"):
        encode_sessions([], VOCABULARY)


@given(n_rows=st.integers(1, 40), poison=st.sets(st.integers(0, 39)))
async def test_bisection_answers_all_rows_but_the_refused(n_rows: int, poison: set[int]) -> None:
    poison = {i for i in poison if i < n_rows}

    def encode(some: Sequence[int]) -> Tensors:
        return {"items": np.array(some)}

    def refuse(inputs: Tensors) -> Exception | None:
        return InferenceRejected("poison") if set(inputs["items"].tolist()) & poison else None

    outputs, accepted, refused = await infer_rows(
        Model(refuse), RECOMMENDER, "3", list(range(n_rows)), encode=encode
    )

    assert accepted == [i for i in range(n_rows) if i not in poison]
    assert [i for i, _ in refused] == sorted(poison)
    assert not accepted or len(outputs["candidates"]) == len(accepted)


async def test_an_absent_model_is_not_bisected() -> None:
    model = Model(lambda _: InferenceUnavailable("away"))

    with pytest.raises(InferenceUnavailable):
        await infer_rows(
            model, RECOMMENDER, "3", [1, 2, 3], encode=lambda some: {"items": np.array(some)}
        )

    assert len(model.requests) == 1
