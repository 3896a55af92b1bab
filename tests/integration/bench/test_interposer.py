"""What stands between workers and Triton is as if not there, until it spoils inferences."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

import grpc
import pytest
from numpy.typing import NDArray

from stream.adapters.breaker import Breaker
from stream.adapters.triton import Patience, TritonModels
from stream.bench.faults.interposer import Interposer
from stream.errors import InferenceUnavailable
from stream.model_specs import MODELS, RECOMMENDER
from tests.integration.triton_fixtures import inputs_of, make_items

pytestmark = [pytest.mark.triton, pytest.mark.slow]


@pytest.fixture
def interposer(triton: str) -> Iterator[Interposer]:
    started = Interposer(triton)
    started.start()
    yield started
    started.stop()


async def infer(address: str) -> NDArray[Any]:
    """Ask once, without a retry and with a breaker that stays shut."""
    models = TritonModels(
        address,
        patience=Patience(timeout_s=1.0, deadline_s=1.0, n_retries=0),
        make_breaker=partial(Breaker, n_failures=100, reset_s=1.0),
    )
    await models.start()
    try:
        await models.check(MODELS)
        answer = await models.infer(RECOMMENDER, "1", inputs_of(make_items(3, 4, 0)))
    finally:
        await models.stop()
    return answer[RECOMMENDER.outputs[0].name]


def test_calls_are_handed_on(interposer: Interposer, triton: str) -> None:
    direct, through = asyncio.run(infer(triton)), asyncio.run(infer(interposer.address))

    assert (direct == through).all()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE"),
        (grpc.StatusCode.INTERNAL, "INTERNAL"),
    ],
)
def test_an_inference_fails_as_told(
    interposer: Interposer, status: grpc.StatusCode, said: str
) -> None:
    interposer.fail(status)

    with pytest.raises(InferenceUnavailable, match=said):
        asyncio.run(infer(interposer.address))


def test_an_inference_comes_too_late(interposer: Interposer) -> None:
    interposer.delay(3.0)

    with pytest.raises(InferenceUnavailable, match=r"(?i)deadline"):
        asyncio.run(infer(interposer.address))


def test_an_inference_is_answered_in_other_shapes(interposer: Interposer) -> None:
    interposer.misshape()

    with pytest.raises(InferenceUnavailable, match=RECOMMENDER.name):
        asyncio.run(infer(interposer.address))


def test_what_was_spoiled_is_whole_again(interposer: Interposer) -> None:
    interposer.fail(grpc.StatusCode.INTERNAL)
    interposer.delay(3.0)
    interposer.misshape()

    interposer.heal()

    assert len(asyncio.run(infer(interposer.address))) > 0
