"""What a version is asked before it answers anybody."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from stream.domain.trail import Kind
from stream.errors import InferenceRejected
from stream.model_specs import (
    FORECASTER,
    HISTORY_DAYS,
    MAX_ITEMS,
    OPEN,
    PRICE,
    RECOMMENDER,
    ModelSpec,
)
from stream.pipeline.warming import warm_forecaster, warmed_recommender
from stream.ports import Tensors
from tests.unit.pipeline.fakes import Model

N_ROWS = 64
PRODUCTS = tuple(f"p{index}" for index in range(2_000))


class Server(Model):
    """A server of one version of each model."""

    async def check(self, specs: Sequence[ModelSpec]) -> None:
        """Both models fit."""

    async def newest_version(self, spec: ModelSpec) -> str:
        return "1"

    async def is_ready(self, spec: ModelSpec, version: str) -> bool:
        return True

    async def touch(self, spec: ModelSpec, version: str) -> None:
        """Nobody is asked."""

    async def vocabulary(self, version: str) -> tuple[str, ...]:
        return PRODUCTS

    def held_back(self) -> Sequence[str]:
        return ()


def refusing(is_refused: Callable[[Tensors], object]) -> Server:
    return Server(lambda inputs: InferenceRejected("no") if is_refused(inputs) else None)


@pytest.mark.parametrize("index", [1, len(PRODUCTS) // 2, len(PRODUCTS)])
async def test_a_version_that_refuses_a_product_is_found(index: int) -> None:
    server = refusing(lambda inputs: index in inputs["items"])

    with pytest.raises(InferenceRejected):
        await warmed_recommender(server, "1", N_ROWS, in_full=True)


@pytest.mark.parametrize("kind", Kind)
async def test_a_version_that_refuses_a_kind_of_act_is_found(kind: Kind) -> None:
    server = refusing(lambda inputs: kind in inputs["kinds"])

    with pytest.raises(InferenceRejected):
        await warmed_recommender(server, "1", N_ROWS, in_full=True)


@pytest.mark.parametrize("length", range(1, MAX_ITEMS + 1))
async def test_a_version_that_refuses_a_length_is_found(length: int) -> None:
    server = refusing(lambda inputs: length in (inputs["items"] > 0).sum(axis=1))

    with pytest.raises(InferenceRejected):
        await warmed_recommender(server, "1", N_ROWS, in_full=True)


@pytest.mark.parametrize("n_rows", [1, 7, N_ROWS])
async def test_what_is_asked_is_what_a_worker_asks(n_rows: int) -> None:
    asked: list[Tensors] = []
    server = refusing(asked.append)

    await warmed_recommender(server, "1", n_rows)

    for inputs, n_expected in zip(asked, (1, n_rows), strict=True):
        items, kinds = inputs["items"], inputs["kinds"]
        assert items.shape == kinds.shape == (n_expected, MAX_ITEMS)
        assert items.dtype == kinds.dtype == np.int64
        assert bool(((items > 0) == (kinds > 0)).all())
        assert bool((np.diff((items > 0).astype(int), axis=1) >= 0).all())
        assert items.max() <= len(PRODUCTS)
    assert [name for name, _, _ in server.requests] == [RECOMMENDER.name] * 2


@pytest.mark.parametrize(
    "is_refused",
    [
        lambda inputs: (inputs["demand"] == 0).any(),
        lambda inputs: (inputs["demand"] > 9_000).any(),
        lambda inputs: (inputs["demand"][:, 0] == -1).any(),
        lambda inputs: (inputs["demand"] >= 0).all(axis=1).any(),
        lambda inputs: 6 in inputs["weekday"],
        lambda inputs: (inputs["days"][:, :, OPEN] == 0).any(),
        lambda inputs: (inputs["days"][:, :, OPEN] == 1).all(axis=1).any(),
        lambda inputs: (inputs["days"][:, :, PRICE] < 0).any(),
        lambda inputs: (inputs["days"][:, :, PRICE] > 0).any(),
    ],
)
async def test_a_forecaster_is_asked_about_slow_and_fast_old_and_new_products(
    is_refused: Callable[[Tensors], object],
) -> None:
    with pytest.raises(InferenceRejected):
        await warm_forecaster(refusing(is_refused), "1", 4 * HISTORY_DAYS, in_full=True)


@pytest.mark.parametrize("n_rows", [1, 256])
async def test_what_a_forecaster_is_asked_has_a_known_day_and_ends_with_today(n_rows: int) -> None:
    asked: list[Tensors] = []

    await warm_forecaster(refusing(asked.append), "1", n_rows)

    for inputs in asked:
        assert inputs["demand"].dtype == np.float32
        assert bool((inputs["demand"][:, -1] >= 0).all())
        assert inputs["weekday"].shape == (len(inputs["demand"]), 1)
        assert inputs["days"].dtype == np.float32
        assert inputs["days"].shape[1:] == FORECASTER.inputs[2].shape
    assert FORECASTER.inputs[1].shape == (1,)
