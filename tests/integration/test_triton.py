from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from stream.adapters.triton import TritonModels
from stream.errors import InferenceRejected, InferenceUnavailable, LocalPartMissing, ModelMismatch
from stream.local.triton import SHARED_MEMORY, EmbeddedTriton
from stream.model_specs import (
    FORECASTER,
    HISTORY_DAYS,
    MODELS,
    N_CANDIDATES,
    OPEN,
    PAST_DAYS,
    PRICE,
    RECOMMENDER,
    VOCABULARY,
    ModelSpec,
    TensorSpec,
)
from stream.ports import Tensors
from stream.repository import ModelRepository
from tests.harness.waiting import until
from tests.integration.triton_fixtures import (
    MODEL_NAMES,
    N_PRODUCTS,
    inputs_of,
    make_days,
    make_demand,
    make_items,
    make_models,
)

pytestmark = pytest.mark.triton


async def test_models_written_by_us_fit_our_specifications(models: TritonModels) -> None:
    await models.check(MODELS)


async def test_a_model_with_other_tensors_is_refused_with_expected_and_got(
    models: TritonModels,
) -> None:
    wider = ModelSpec(
        RECOMMENDER.name, (TensorSpec("items", "INT64", (99,)),), RECOMMENDER.outputs, 256
    )

    with pytest.raises(ModelMismatch, match=r"recommender\.inputs: expected .*99.* got .*50"):
        await models.check([wider])


async def test_candidates_are_products_best_first_and_never_padding(models: TritonModels) -> None:
    answer = await models.infer(RECOMMENDER, "1", inputs_of(make_items(3, 4, 0)))

    assert answer["candidates"].shape == (3, N_CANDIDATES)
    assert answer["candidates"].min() >= 1
    assert answer["candidates"].max() <= N_PRODUCTS
    assert all(len(set(row)) == N_CANDIDATES for row in answer["candidates"].tolist())
    assert bool((np.diff(answer["scores"], axis=1) <= 0).all())


async def test_rows_are_answered_alike_alone_and_together(models: TritonModels) -> None:
    alone = await models.infer(RECOMMENDER, "1", inputs_of(make_items(7)))
    together = await models.infer(RECOMMENDER, "1", inputs_of(make_items(1, 7)))

    np.testing.assert_allclose(alone["scores"][0], together["scores"][1], rtol=1e-4, atol=1e-5)


async def test_what_was_trained_is_what_answers(models: TritonModels) -> None:
    product_ids = await models.vocabulary("1")
    index = {product_id: i for i, product_id in enumerate(product_ids, start=1)}
    walk = np.array([[index[f"p{place}"] for place in range(10, 60)]], np.int64)

    answer = await models.infer(RECOMMENDER, "1", inputs_of(walk))

    best = [product_ids[i - 1] for i in answer["candidates"][0, :10].tolist()]
    assert "p60" in best


async def test_the_vocabulary_is_read_to_its_end(models: TritonModels) -> None:
    product_ids = await models.vocabulary("1")

    assert len(product_ids) == len(set(product_ids)) == N_PRODUCTS
    assert await models.newest_version(RECOMMENDER) == "1"


async def test_a_span_of_the_vocabulary_is_answered(models: TritonModels) -> None:
    whole = await models.vocabulary("1")

    answer = await models.infer(VOCABULARY, "1", {"span": np.array([78, 10], np.int64)})

    assert [entry.decode() for entry in answer["product_ids"]] == list(whole[78:])


async def test_forecasts_never_fall_along_either_axis(models: TritonModels) -> None:
    demand = make_demand(n_days=PAST_DAYS)
    demand[:8, :-14] = -1

    inputs: Tensors = {
        "demand": demand,
        "weekday": np.full((len(demand), 1), 3, np.int64),
        "days": make_days(len(demand)),
    }
    cumulative = (await models.infer(FORECASTER, "1", inputs))["cumulative"]

    assert bool((np.diff(cumulative, axis=1) >= 0).all())
    assert bool((np.diff(cumulative, axis=2) >= 0).all())


@pytest.mark.parametrize("poison", [N_PRODUCTS + 1, -1, 2**62])
async def test_a_poisoned_row_refuses_its_request_only(models: TritonModels, poison: int) -> None:
    poisoned = models.infer(RECOMMENDER, "1", inputs_of(make_items(1, poison)))
    good = models.infer(RECOMMENDER, "1", inputs_of(make_items(1, 2)))

    outcomes = await asyncio.gather(poisoned, good, return_exceptions=True)

    assert isinstance(outcomes[0], InferenceRejected)
    told = f"items[1, 49]: expected an index from 0 to {N_PRODUCTS}, got {poison}"
    assert told in str(outcomes[0])
    assert isinstance(outcomes[1], dict)
    assert is_available(models)


@pytest.mark.parametrize(
    ("units", "weekday", "message"),
    [(np.nan, 0, "demand"), (-2.0, 0, "demand"), (np.inf, 0, "demand"), (1.0, 7, "weekday")],
)
async def test_demand_that_makes_no_sense_is_refused(
    models: TritonModels, units: float, weekday: int, message: str
) -> None:
    inputs: Tensors = {
        "demand": np.full((1, PAST_DAYS), units, np.float32),
        "weekday": np.array([[weekday]], np.int64),
        "days": make_days(1),
    }

    with pytest.raises(InferenceRejected, match=message):
        await models.infer(FORECASTER, "1", inputs)


@pytest.mark.parametrize(
    ("channel", "value", "message"),
    [
        (OPEN, 0.5, r"days\[0, 84, 0\]: expected 1 where open, or 0 where closed, got 0\.5"),
        (OPEN, np.nan, "got nan"),
        (PRICE, np.inf, r"days\[0, 84, 1\]: expected the logarithm of a price .* got inf"),
        (PRICE, np.nan, "got nan"),
        (PRICE, 19.99, r"-4\.6 to 4\.6, got 19\.9"),
    ],
)
async def test_days_that_make_no_sense_are_refused(
    models: TritonModels, channel: int, value: float, message: str
) -> None:
    days = make_days(1)
    days[0, HISTORY_DAYS, channel] = value
    inputs: Tensors = {
        "demand": np.ones((1, PAST_DAYS), np.float32),
        "weekday": np.zeros((1, 1), np.int64),
        "days": days,
    }

    with pytest.raises(InferenceRejected, match=message):
        await models.infer(FORECASTER, "1", inputs)


async def test_closed_days_ahead_add_nothing_to_a_forecast(models: TritonModels) -> None:
    days = make_days(1)
    days[0, HISTORY_DAYS + 2, OPEN] = 0
    inputs: Tensors = {
        "demand": np.ones((1, PAST_DAYS), np.float32),
        "weekday": np.zeros((1, 1), np.int64),
        "days": days,
    }

    [cumulative] = (await models.infer(FORECASTER, "1", inputs))["cumulative"]

    np.testing.assert_allclose(cumulative[2], cumulative[1], rtol=1e-3)
    assert cumulative[3, -1] > cumulative[2, -1]


async def test_a_version_that_is_not_there_is_unavailable(triton: str) -> None:
    models = make_models(triton)
    await models.start()

    with pytest.raises(InferenceUnavailable, match="version 9"):
        await models.infer(RECOMMENDER, "9", inputs_of(make_items(1)))

    await models.stop()


async def test_only_a_served_version_is_ready(models: TritonModels) -> None:
    ready = [await models.is_ready(RECOMMENDER, version) for version in ("1", "9")]

    assert ready == [True, False]


async def test_stopping_ends_calls_and_leaves_no_task(triton: str) -> None:
    models = make_models(triton)
    await models.start()
    calls = [
        asyncio.create_task(models.infer(RECOMMENDER, "1", inputs_of(make_items(*[1] * 256))))
        for _ in range(8)
    ]
    await asyncio.sleep(0)

    await models.stop()
    await asyncio.gather(*calls, return_exceptions=True)

    assert {type(call.exception()) for call in calls} <= {InferenceUnavailable, type(None)}
    assert asyncio.all_tasks() == {asyncio.current_task()}


# --- A model that cannot be loaded -------------------------------------------------------------

NOT_LOADABLE = """
class TritonPythonModel:
    def initialize(self, args):
        raise RuntimeError("CUDA out of memory")
"""


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[str]:
    """``host:port`` of a server whose recommender never starts."""
    model = tmp_path / "models" / RECOMMENDER.name
    (model / "1").mkdir(parents=True)
    (model / "1" / "model.py").write_text(NOT_LOADABLE, "utf-8")
    config = (
        f'name: "{RECOMMENDER.name}"\nbackend: "python"\n'
        'output [{ name: "o" data_type: TYPE_FP32 dims: [1] }]'
    )
    (model / "config.pbtxt").write_text(config, "utf-8")
    server = EmbeddedTriton(tmp_path / "triton", tmp_path / "models")
    server.start()
    yield server.grpc
    server.stop()


async def test_a_model_that_cannot_be_loaded_is_unavailable_and_refuses_nobody(broken: str) -> None:
    models = make_models(broken)
    await models.start()

    with pytest.raises(InferenceUnavailable, match="CUDA out of memory"):
        await models.check([RECOMMENDER])

    await models.stop()


VERSIONED = {RECOMMENDER: "weights.pt", VOCABULARY: "vocabulary.json", FORECASTER: "weights.pt"}


@pytest.fixture(scope="module")
def damaged(tiny_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelRepository:
    """Version 1 of each model is served beside 2, and of the recommender 3: what those learnt cannot
    be read."""
    folder = shutil.copytree(tiny_repository, tmp_path_factory.mktemp("damaged") / "models")
    repository = ModelRepository(folder)
    for spec, learnt in VERSIONED.items():
        others = ["2", "3"] if spec is RECOMMENDER else ["2"]
        for number in others:
            version = shutil.copytree(folder / spec.name / "1", folder / spec.name / number)
            (version / learnt).write_text("no more")
            model = version / "model.py"
            model.write_text(model.read_text().replace("_RETRY_S = 30.0", "_RETRY_S = 0.1"))
        repository.serve(spec.name, ["1", *others])
    return repository


@pytest.fixture(scope="module")
def server_of_damaged(
    damaged: ModelRepository, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    server = EmbeddedTriton(tmp_path_factory.mktemp("triton"), damaged.folder)
    server.start(MODEL_NAMES)
    yield server.grpc
    server.stop()


@pytest_asyncio.fixture
async def models_of_damaged(server_of_damaged: str) -> AsyncIterator[TritonModels]:
    models = make_models(server_of_damaged)
    await models.start()
    yield models
    await models.stop()


@pytest.mark.slow
async def test_a_version_that_cannot_be_loaded_is_unavailable_and_harms_no_other(
    models_of_damaged: TritonModels,
) -> None:
    models = models_of_damaged

    await asyncio.gather(models.touch(RECOMMENDER, "1"), models.touch(FORECASTER, "1"))
    product_ids = await models.vocabulary("1")

    assert len(product_ids) == N_PRODUCTS
    for spec, call in (
        (RECOMMENDER, models.touch(RECOMMENDER, "2")),
        (VOCABULARY, models.vocabulary("2")),
        (FORECASTER, models.touch(FORECASTER, "2")),
    ):
        with pytest.raises(InferenceUnavailable, match=rf"{spec.name} version 2 could not be load"):
            await call


@pytest.mark.slow
async def test_a_version_that_was_mended_answers(
    damaged: ModelRepository, models_of_damaged: TritonModels
) -> None:
    folder = damaged.folder / RECOMMENDER.name
    with pytest.raises(InferenceUnavailable, match="could not be loaded"):
        await models_of_damaged.touch(RECOMMENDER, "3")

    shutil.copyfile(folder / "1" / "weights.pt", folder / "3" / "weights.pt")

    async with asyncio.timeout(20):
        while not await has_answered(models_of_damaged, "3"):
            pass


async def has_answered(models: TritonModels, version: str) -> bool:
    try:
        await models.touch(RECOMMENDER, version)
    except InferenceUnavailable:
        return False
    return True


# --- A server that dies ------------------------------------------------------------------------


@pytest.fixture
def mortal(tiny_repository: Path, tmp_path: Path) -> Iterator[EmbeddedTriton]:
    server = EmbeddedTriton(tmp_path / "triton", tiny_repository)
    server.start(MODEL_NAMES)
    yield server
    server.stop()


@pytest_asyncio.fixture
async def client_of_mortal(mortal: EmbeddedTriton) -> AsyncIterator[TritonModels]:
    client = make_models(mortal.grpc)
    await client.start()
    await client.check(MODELS)
    yield client
    await client.stop()


def is_available(models: TritonModels) -> bool:
    return models._calls._models[RECOMMENDER.name].available


async def answering_again(models: TritonModels) -> None:
    recovery = models._calls._models[RECOMMENDER.name]._recovery._task
    assert recovery is not None
    async with asyncio.timeout(60):
        await recovery


@pytest.mark.alone
@pytest.mark.slow
async def test_a_killed_server_is_noticed_within_a_second_and_found_again(
    mortal: EmbeddedTriton, client_of_mortal: TritonModels
) -> None:
    models = client_of_mortal
    await asyncio.to_thread(mortal.kill)

    began = time.monotonic()
    for _ in range(2):
        with pytest.raises(InferenceUnavailable):
            await models.infer(RECOMMENDER, "1", inputs_of(make_items(1)))
    took_s = time.monotonic() - began

    assert took_s < 1.0
    assert not is_available(models)

    # Without names: in explicit mode a new server serves nothing until it is told to.
    mortal.start()
    await answering_again(models)
    answer = await models.infer(RECOMMENDER, "1", inputs_of(make_items(1)))

    assert is_available(models)
    assert answer["candidates"].shape == (1, N_CANDIDATES)


@pytest.mark.alone
@pytest.mark.slow
async def test_calls_in_flight_end_when_the_server_dies(
    mortal: EmbeddedTriton, client_of_mortal: TritonModels
) -> None:
    rows = inputs_of(make_items(*[1] * 256))
    calls = [asyncio.create_task(client_of_mortal.infer(RECOMMENDER, "1", rows)) for _ in range(64)]
    await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)

    mortal.kill()
    async with asyncio.timeout(3):
        await asyncio.gather(*calls, return_exceptions=True)

    assert {type(call.exception()) for call in calls} == {InferenceUnavailable, type(None)}


@pytest.mark.alone
@pytest.mark.slow
async def test_no_call_waits_out_its_deadline_at_a_server_that_froze(
    mortal: EmbeddedTriton,
) -> None:
    models = make_models(mortal.grpc, timeout_s=2.0)
    await models.start()
    await models.check(MODELS)
    rows = inputs_of(make_items(*[1] * 256))

    mortal.child.freeze()
    began = time.monotonic()
    calls: list[Awaitable[object]] = [models.infer(RECOMMENDER, "1", rows) for _ in range(8)]
    ended = await asyncio.gather(*calls, models.vocabulary("1"), return_exceptions=True)
    took_s = time.monotonic() - began
    os.kill(mortal.child.pid, signal.SIGCONT)

    assert {type(error) for error in ended} == {InferenceUnavailable}
    assert took_s < 3.0
    await models.stop()


@pytest.mark.parametrize("end", [EmbeddedTriton.stop, EmbeddedTriton.kill])
def test_a_server_that_ended_leaves_only_its_log(
    tiny_repository: Path, tmp_path: Path, end: Callable[[EmbeddedTriton], None]
) -> None:
    server = EmbeddedTriton(tmp_path, tiny_repository)
    server.start([VOCABULARY.name])
    regions = list(SHARED_MEMORY.glob(f"{server._shm_prefix}*"))
    temporary = list((tmp_path / "tmp").iterdir())

    end(server)

    assert [path.name.rpartition("_")[0] for path in temporary] == ["python_env"]
    assert regions
    assert [path for path in regions if path.exists()] == []
    assert [path.name for path in tmp_path.iterdir()] == [server.log_path.name]
    assert not server.child.alive


START_AND_WAIT = """
import pathlib, sys
from stream.local.triton import EmbeddedTriton
server = EmbeddedTriton(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
server.start([sys.argv[3]])
print(server._shm_prefix, flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_server_whose_owner_was_ended_leaves_only_its_log(
    tiny_repository: Path, tmp_path: Path, number: signal.Signals
) -> None:
    arguments = [str(tmp_path), str(tiny_repository), VOCABULARY.name]
    command = [sys.executable, "-c", START_AND_WAIT, *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        regions = f"{owner.stdout.readline().strip()}*"
        there = list(SHARED_MEMORY.glob(regions))

        os.kill(owner.pid, number)

    assert there
    until(
        lambda: (
            [path.name for path in tmp_path.iterdir()] == ["tritonserver.log"]
            and not list(SHARED_MEMORY.glob(regions))
        ),
        "nothing but the log is left",
    )


def test_a_server_that_cannot_start_shows_its_log(tiny_repository: Path, tmp_path: Path) -> None:
    server = EmbeddedTriton(tmp_path, tiny_repository)

    with pytest.raises(LocalPartMissing, match=r"(?s)from its log .*no_such_model"):
        server.start(["no_such_model"])

    assert not server.child.alive
