from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.domain.history import History
from stream.domain.trail import Kind
from stream.errors import InferenceRejected, InferenceUnavailable
from stream.model_specs import MAX_ITEMS, PADDING_ID, RECOMMENDER
from stream.pipeline.scoring import Vocabulary, encode_sessions, infer_rows
from stream.ports import Tensors
from tests.unit.pipeline.fakes import Model

VOCABULARY = Vocabulary.of("3", ["milk", "bread", "eggs"])


def viewed(*products: str) -> History:
    return History(products, [Kind.VIEW] * len(products))


def test_history_is_padded_on_the_left() -> None:
    tensors = encode_sessions([History(["bread", "milk"], [Kind.PURCHASE, Kind.ADD])], VOCABULARY)

    assert [*tensors] == [spec.name for spec in RECOMMENDER.inputs]
    for tensor in tensors.values():
        assert tensor.shape == (1, MAX_ITEMS)
        assert tensor.dtype == np.int64
        assert set(tensor[0, :-2].tolist()) == {PADDING_ID}
    assert tensors["items"][0, -2:].tolist() == [2, 1]
    assert tensors["kinds"][0, -2:].tolist() == [Kind.PURCHASE, Kind.ADD]


def test_unknown_products_leave_no_gap_and_kinds_stay_with_theirs() -> None:
    acts = History(["bread", "soap", "milk"], [Kind.PURCHASE, Kind.VIEW, Kind.ADD])

    tensors = encode_sessions([acts], VOCABULARY)

    assert tensors["items"][0, -3:].tolist() == [PADDING_ID, 2, 1]
    assert tensors["kinds"][0, -3:].tolist() == [0, Kind.PURCHASE, Kind.ADD]


def test_only_the_newest_items_are_read() -> None:
    tensors = encode_sessions([viewed("eggs", *["milk"] * MAX_ITEMS)], VOCABULARY)

    assert set(tensors["items"][0].tolist()) == {1}


def test_a_visitor_of_unknown_products_is_all_padding() -> None:
    tensors = encode_sessions([viewed("soap"), viewed("milk")], VOCABULARY)

    assert not any(tensor[0].any() for tensor in tensors.values())


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


async def test_without_halving_one_request_refuses_all_of_its_rows() -> None:
    model = Model(lambda _: InferenceRejected("poison"))

    outputs, accepted, refused = await infer_rows(
        model,
        RECOMMENDER,
        "3",
        [1, 2, 3],
        encode=lambda some: {"items": np.array(some)},
        halving=False,
    )

    assert (outputs, accepted) == ({}, [])
    assert [place for place, _ in refused] == [0, 1, 2]
    assert len(model.requests) == 1


async def test_an_absent_model_is_not_bisected() -> None:
    model = Model(lambda _: InferenceUnavailable("away"))

    with pytest.raises(InferenceUnavailable):
        await infer_rows(
            model, RECOMMENDER, "3", [1, 2, 3], encode=lambda some: {"items": np.array(some)}
        )

    assert len(model.requests) == 1
