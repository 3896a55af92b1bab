from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stream.adapters.triton import TritonModels
from stream.local.triton import EmbeddedTriton
from stream.model_specs import MODELS
from stream.pipeline.forecasts import Forecaster
from stream.pipeline.lineup import ANSWERING
from stream.pipeline.proposals import Proposer
from stream.pipeline.rollouts import Rollouts
from stream.pipeline.serving import Serving, Wishes
from stream.repository import ModelRepository
from stream.telemetry import Telemetry
from tests.integration.triton_fixtures import MODEL_NAMES, make_models

pytestmark = [pytest.mark.triton, pytest.mark.slow]


FULL_ROWS = {spec.name: 4 for spec in MODELS}


async def redeploy(models: TritonModels, repository: Path) -> None:
    """Put version 2 in the place of version 1, on a server that goes on."""
    for spec in MODELS:
        (repository / spec.name / "1").rename(repository / spec.name / "2")
        ModelRepository(repository).serve(spec.name, ["2"])
        await models.control.load(spec.name)


async def test_redeployed_version_is_taken_up_when_the_old_one_is_gone(
    tiny_repository: Path, tmp_path: Path
) -> None:
    repository = shutil.copytree(tiny_repository, tmp_path / "models")
    server = EmbeddedTriton(tmp_path / "triton", repository)
    server.start(MODEL_NAMES)
    models = make_models(server.grpc)
    await models.start()
    proposer, forecaster = Proposer(models), Forecaster(models)
    rollouts = Rollouts(Telemetry(), are_read=lambda: True)
    serving = Serving(
        {ANSWERING: models},
        proposer,
        forecaster,
        wishes=Wishes(rollouts, pinned={}, full_rows=FULL_ROWS),
        telemetry=Telemetry(),
        retry_s=0.2,
        again_s=1.0,
    )
    await serving.until_ready()

    await redeploy(models, repository)
    await serving._presence.look()
    ready_with_the_old = serving.ready
    await serving.until_ready()

    await models.stop()
    server.stop()
    assert not ready_with_the_old
    assert forecaster.version == "2"
    assert proposer.lineup.versions() == {"answering": "2"}
