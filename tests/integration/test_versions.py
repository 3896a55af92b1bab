"""What we rely on when Triton loads a model again: versions that stay answer without a gap."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from stream.adapters.triton import TritonModels
from stream.errors import InferenceUnavailable, VersionRefused
from stream.lifecycle.server import ModelServing
from stream.local.triton import EmbeddedTriton
from stream.model_specs import MAX_ITEMS, MODELS, RECOMMENDER
from stream.repository import ModelRepository
from stream.settings import Settings
from tests.integration.triton_fixtures import MODEL_NAMES, inputs_of

pytestmark = [pytest.mark.triton, pytest.mark.slow]

ITEMS = np.full((1, MAX_ITEMS), 1, np.int64)
BROKEN = "raise RuntimeError('no')\n"


@pytest_asyncio.fixture
async def serving(tiny_repository: Path, tmp_path: Path) -> AsyncIterator[ModelServing]:
    """Version 1 of each model served, 2 the same beside it, 3 that cannot be loaded."""
    folder = shutil.copytree(tiny_repository, tmp_path / "models")
    for spec in MODELS:
        for version in ("2", "3"):
            shutil.copytree(folder / spec.name / "1", folder / spec.name / version)
    (folder / RECOMMENDER.name / "3" / "model.py").write_text(BROKEN)
    server = EmbeddedTriton(tmp_path / "triton", folder)
    server.start(MODEL_NAMES)
    async with ModelServing(Settings(triton_url=server.grpc), ModelRepository(folder)) as serving:
        yield serving
    server.stop()


async def n_answered_during(models: TritonModels, work: Coroutine[None, None, None]) -> int:
    """Ask for version 1 for as long as *work* takes; one request that fails, fails the test."""
    working, n_answered = asyncio.create_task(work), 0
    while not working.done():
        await models.infer(RECOMMENDER, "1", inputs_of(ITEMS))
        n_answered += 1
    await working
    return n_answered


async def test_a_version_answers_while_others_come_and_go(serving: ModelServing) -> None:
    name, models = RECOMMENDER.name, serving.models

    while_coming = await n_answered_during(models, serving.serve(name, ["1", "2"]))
    both = await serving.ready(name)
    await n_answered_during(models, serving.serve(name, ["1"]))
    one = await settled(serving)

    assert while_coming > 10
    assert (both, one) == (("1", "2"), ("1",))


async def settled(serving: ModelServing) -> tuple[str, ...]:
    """Return what is ready once nothing is being unloaded: a version finishes what it was asked."""
    index = serving.models._connection.client.get_model_repository_index
    async with asyncio.timeout(20):
        while any(each.state == "UNLOADING" for each in (await index()).models):
            pass
    return await serving.ready(RECOMMENDER.name)


async def test_a_version_that_cannot_be_loaded_leaves_everything_as_it_was(
    serving: ModelServing,
) -> None:
    name = RECOMMENDER.name

    async def promote() -> None:
        with pytest.raises(VersionRefused, match="version 3 is refused"):
            async with serving.serving(name, "3", beside=["1"]):
                raise AssertionError("it was served")

    await n_answered_during(serving.models, promote())

    assert await serving.ready(name) == ("1",)
    assert {serving.repository.served(each) for each in MODEL_NAMES} == {("1",)}


async def test_what_fails_after_the_warm_up_puts_everything_back(serving: ModelServing) -> None:
    with pytest.raises(LookupError):
        async with serving.serving(RECOMMENDER.name, "2", beside=["1"]):
            raise LookupError("not decided")

    assert await settled(serving) == ("1",)
    assert {serving.repository.served(each) for each in MODEL_NAMES} == {("1",)}


async def test_a_server_that_is_away_changes_nothing_on_disk(serving: ModelServing) -> None:
    away = ModelServing(Settings(triton_url="127.0.0.1:1"), serving.repository)

    async with away:
        with pytest.raises(InferenceUnavailable):
            async with away.serving(RECOMMENDER.name, "2", beside=["1"]):
                raise AssertionError("it was served")

    assert serving.repository.served(RECOMMENDER.name) == ("1",)
