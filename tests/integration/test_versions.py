"""What we rely on when Triton loads a model again: versions that stay answer without a gap."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from stream.adapters.triton import TritonModels
from stream.errors import InferenceUnavailable, VersionRefused
from stream.lifecycle.server import ModelServing
from stream.local.triton import EmbeddedTriton
from stream.model_specs import MAX_ITEMS, MODELS, RECOMMENDER, SERVED_WITH
from stream.pipeline.forecasts import Forecaster
from stream.pipeline.lineup import ANSWERING
from stream.pipeline.proposals import Proposer
from stream.pipeline.rollouts import Rollouts
from stream.pipeline.serving import Serving, Wishes
from stream.repository import ModelRepository
from stream.settings import Settings
from stream.telemetry import Telemetry
from tests.integration.triton_fixtures import MODEL_NAMES, inputs_of

pytestmark = [pytest.mark.triton, pytest.mark.slow]

ITEMS = np.full((1, MAX_ITEMS), 1, np.int64)
BROKEN = "raise RuntimeError('no')\n"
#: Of a worker's second, a version on trial has half.
SLOW = """

import time

execute_at_once = TritonPythonModel.execute


def execute_slowly(self, requests):
    time.sleep({seconds})
    return execute_at_once(self, requests)


TritonPythonModel.execute = execute_slowly
"""


@pytest.fixture(scope="module")
def repository(tiny_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelRepository:
    """Version 1 of each model is served; 2 is the same, 3 does not load, 4 and 5 are slow, 6 is damaged."""
    folder = shutil.copytree(tiny_repository, tmp_path_factory.mktemp("versions") / "models")
    for spec in MODELS:
        for version in ("2", "3", "4", "5", "6"):
            shutil.copytree(folder / spec.name / "1", folder / spec.name / version)
    model = folder / RECOMMENDER.name
    (model / "3" / "model.py").write_text(BROKEN)
    (model / "6" / "weights.pt").write_bytes(b"cut")
    for version, seconds in (("4", 1.5), ("5", 0.7)):
        slow = SLOW.format(seconds=seconds)
        (model / version / "model.py").write_text((model / "1" / "model.py").read_text() + slow)
    return ModelRepository(folder)


@pytest.fixture(scope="module")
def server(
    repository: ModelRepository, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedTriton]:
    started = EmbeddedTriton(tmp_path_factory.mktemp("triton"), repository.folder)
    started.start(MODEL_NAMES)
    yield started
    started.stop()


@pytest_asyncio.fixture
async def serving(
    server: EmbeddedTriton, repository: ModelRepository
) -> AsyncIterator[ModelServing]:
    async with ModelServing(Settings(triton_url=server.grpc), repository) as serving:
        yield serving
        await serving.serve(RECOMMENDER.name, ["1"])
        await settled(serving)


async def n_answered_during(
    models: TritonModels, work: Coroutine[None, None, None], *, version: str = "1"
) -> int:
    """Ask for *version* for as long as *work* takes; one request that fails, fails the test."""
    working, n_answered = asyncio.create_task(work), 0
    while not working.done():
        await models.infer(RECOMMENDER, version, inputs_of(ITEMS))
        n_answered += 1
    await working
    return n_answered


async def until_unasked(serving: ModelServing, version: str, *, within_s: float) -> bool:
    """Return whether *version* is found unasked while version 2 is asked all the time."""
    found: list[bool] = []

    async def look() -> None:
        found.append(
            await serving.is_unasked(RECOMMENDER.name, [version], answering="2", within_s=within_s)
        )

    await n_answered_during(serving.models, look(), version="2")
    return found[0]


async def test_what_a_worker_uses_is_asked_though_no_visitor_comes(serving: ModelServing) -> None:
    await serving.serve(RECOMMENDER.name, ["1", "2"])
    telemetry = Telemetry()
    worker = Serving(
        {ANSWERING: serving.models},
        Proposer(serving.models),
        Forecaster(serving.models),
        wishes=Wishes(
            Rollouts(telemetry, are_read=lambda: True),
            pinned={RECOMMENDER.name: "1"},
            full_rows=dict.fromkeys(MODEL_NAMES, 8),
        ),
        telemetry=telemetry,
        retry_s=1.0,
        again_s=1.0,
    )
    async with asyncio.timeout(20):
        await worker.until_ready()
    following = asyncio.create_task(worker.follow())

    unasked_under_it = await until_unasked(serving, "1", within_s=8)
    following.cancel()
    unasked_after_it = await until_unasked(serving, "1", within_s=20)

    assert (unasked_under_it, unasked_after_it) == (False, True)


async def test_a_version_answers_while_others_come_and_go(serving: ModelServing) -> None:
    name, models = RECOMMENDER.name, serving.models

    while_coming = await n_answered_during(models, serving.serve(name, ["1", "2"]))
    both = await serving.ready(name)
    await n_answered_during(models, serving.serve(name, ["1"]))
    one = await settled(serving)

    assert while_coming > 10
    assert (both, one) == (("1", "2"), ("1",))


def test_a_version_that_stays_is_not_loaded_again(server: EmbeddedTriton) -> None:
    """Behind the test above, in the log of the same server: loaded again, the old one goes."""
    gone = re.findall(r"unloaded 'recommender' version ([0-9]+)", server.log_path.read_text())

    assert set(gone) == {"2"}


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
            await serving.bring_up(name, "3", decided=["1"])

    await n_answered_during(serving.models, promote())

    assert await serving.ready(name) == ("1",)
    assert {serving.repository.served(each) for each in MODEL_NAMES} == {("1",)}


async def test_a_damaged_version_is_refused_with_its_reason(serving: ModelServing) -> None:
    with pytest.raises(VersionRefused, match="version 6 could not be loaded: "):
        await serving.bring_up(RECOMMENDER.name, "6", decided=["1"])

    assert await settled(serving) == ("1",)


async def test_a_version_that_is_slower_than_workers_wait_is_refused(serving: ModelServing) -> None:
    with pytest.raises(VersionRefused, match="within the 1 s that a worker gives it"):
        await serving.bring_up(RECOMMENDER.name, "4", decided=["1"])

    assert await settled(serving) == ("1",)


async def test_a_version_on_trial_must_be_quicker(serving: ModelServing) -> None:
    with pytest.raises(VersionRefused, match=r"within the 0\.5 s that a worker gives it"):
        await serving.bring_up(RECOMMENDER.name, "5", decided=["1"], on_trial=True)

    assert await settled(serving) == ("1",)


async def test_what_a_killed_command_left_keeps_no_other_version_out(
    serving: ModelServing,
) -> None:
    for spec in SERVED_WITH[RECOMMENDER.name]:
        serving.repository.serve(spec.name, ["1", "3"])

    before = await serving.bring_up(RECOMMENDER.name, "2", decided=["1"])

    assert before == {"1"}
    assert await settled(serving) == ("1", "2")
    assert serving.repository.served(RECOMMENDER.name) == ("1", "2")


async def test_what_is_put_back_leaves_the_others(serving: ModelServing) -> None:
    before = await serving.bring_up(RECOMMENDER.name, "2", decided=["1"])
    await serving.put_back(RECOMMENDER.name, before)

    assert before == {"1"}
    assert await settled(serving) == ("1",)
    assert {serving.repository.served(each) for each in MODEL_NAMES} == {("1",)}


async def test_a_server_that_is_away_changes_nothing_on_disk(serving: ModelServing) -> None:
    away = ModelServing(Settings(triton_url="127.0.0.1:1"), serving.repository)

    async with away:
        with pytest.raises(InferenceUnavailable):
            await away.bring_up(RECOMMENDER.name, "2", decided=["1"])

    assert serving.repository.served(RECOMMENDER.name) == ("1",)
