"""Changes of the versions, with those that come in between."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from stream.domain.rollouts import Rollout
from stream.errors import DecisionOvertaken, NothingToDecide, PublishFailed
from stream.lifecycle.changing import Change, Promotion, Rollback, Wish
from stream.lifecycle.decisions import Decisions
from stream.lifecycle.server import ModelServing
from stream.local.triton import EmbeddedTriton
from stream.model_specs import RECOMMENDER, SERVED_WITH
from stream.repository import ModelRepository
from stream.settings import Settings
from tests.harness.store import Store

pytestmark = [pytest.mark.broker, pytest.mark.triton, pytest.mark.slow]

NAME = RECOMMENDER.name


@pytest.fixture(scope="module")
def repository(tiny_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelRepository:
    """Version 1 is served; 2 and 3, which are the same, lie beside it."""
    folder = shutil.copytree(tiny_repository, tmp_path_factory.mktemp("changing") / "models")
    for spec in SERVED_WITH[NAME]:
        for version in ("2", "3"):
            shutil.copytree(folder / spec.name / "1", folder / spec.name / version)
    return ModelRepository(folder)


@pytest.fixture(scope="module")
def server(
    repository: ModelRepository, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedTriton]:
    started = EmbeddedTriton(tmp_path_factory.mktemp("triton"), repository.folder)
    started.start([spec.name for spec in SERVED_WITH[NAME]])
    yield started
    started.stop()


@pytest_asyncio.fixture(autouse=True)
async def beginning(store: Store, server: EmbeddedTriton, repository: ModelRepository) -> Rollout:
    """Version 1 answers, and nothing else is served or decided."""
    async with ModelServing(Settings(triton_url=server.grpc), repository) as serving:
        await serving.serve(NAME, ["1"])
    decisions = Decisions(Settings(bootstrap_servers=store.bootstrap))
    before = await decisions.of(NAME)
    revision, at_ms = (before.revision + 1, before.decided_at_ms + 1) if before else (1, 0)
    begun = Rollout(model=NAME, revision=revision, version="1", decided_at_ms=at_ms)
    await decisions.publish(begun, after=before)
    return begun


class Operator:
    """Somebody at a terminal of her own, with what she was told."""

    def __init__(
        self,
        store: Store,
        server: EmbeddedTriton,
        repository: ModelRepository,
        decisions: type[Decisions] = Decisions,
    ) -> None:
        self._settings = Settings(bootstrap_servers=store.bootstrap, triton_url=server.grpc)
        self._repository = repository
        self.decisions = decisions(self._settings)
        self.told: list[str] = []
        self.is_waiting = asyncio.Event()

    async def make(self, wish: Wish, *, wait_s: float = 0) -> None:
        async with self._serving() as serving:
            change = Change(NAME, serving, self.decisions, say=self._hear, wait_s=wait_s)
            await change.make(wish)

    async def ready(self) -> set[str]:
        async with self._serving() as serving:
            return set(await serving.ready(NAME))

    async def ask(self, version: str, *, until: asyncio.Task[None]) -> None:
        async with self._serving() as serving:
            while not until.done():
                await serving.models.touch(RECOMMENDER, version)
        await until

    def _serving(self) -> ModelServing:
        return ModelServing(self._settings, self._repository)

    def _hear(self, line: str) -> None:
        self.told.append(line)
        if "stays loaded until" in line:
            self.is_waiting.set()


@pytest.fixture
def operators(store: Store, server: EmbeddedTriton, repository: ModelRepository) -> list[Operator]:
    return [Operator(store, server, repository) for _ in range(2)]


async def test_what_two_decide_at_once_is_decided_one_after_the_other(
    operators: list[Operator], beginning: Rollout
) -> None:
    one, other = operators

    await asyncio.gather(one.make(Promotion("2")), other.make(Promotion("3")))

    holds = await one.decisions.of(NAME)
    assert holds is not None
    assert holds.revision == beginning.revision + 2
    assert {holds.version, holds.previous} == {"2", "3"}
    assert holds.versions <= await one.ready()
    assert any("Another command is changing these models" in line for line in one.told + other.told)


async def test_what_was_decided_meanwhile_by_somebody_elsewhere_stays_served(
    store: Store, server: EmbeddedTriton, repository: ModelRepository
) -> None:
    """Two machines with no lock in common: the second decides while the first tries out."""

    class Overtaken(Decisions):
        async def publish(self, rollout: Rollout, *, after: Rollout | None) -> None:
            await super().publish(rollout, after=after)
            await super().publish(rollout, after=after)

    operator = Operator(store, server, repository, Overtaken)

    with pytest.raises(DecisionOvertaken):
        await operator.make(Promotion("2"))

    holds = await operator.decisions.of(NAME)
    assert holds is not None
    assert holds.version == "2"
    assert "2" in await operator.ready()


@pytest.mark.parametrize("error", [PublishFailed("not confirmed"), asyncio.CancelledError()])
async def test_what_may_be_decided_stays_served(
    store: Store, server: EmbeddedTriton, repository: ModelRepository, error: BaseException
) -> None:
    class Unconfirmed(Decisions):
        async def _append(self, rollout: Rollout) -> None:
            await super()._append(rollout)
            raise error

    operator = Operator(store, server, repository, Unconfirmed)

    with pytest.raises(type(error)):
        await operator.make(Promotion("2"))

    holds = await operator.decisions.of(NAME)
    assert holds is not None
    assert holds.version == "2"
    assert "2" in await operator.ready()
    assert "Whether that was decided is not known" in operator.told[-1]


async def test_a_command_that_is_terminated_puts_everything_back(
    store: Store, server: EmbeddedTriton, repository: ModelRepository, operators: list[Operator]
) -> None:
    where = {
        "STORESTREAM_BOOTSTRAP_SERVERS": store.bootstrap,
        "STORESTREAM_TRITON_URL": server.grpc,
    }
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stream", "models", "promote", NAME, "2"),
        *("--repository", str(repository.folder)),
        env={**os.environ, **where},
        stdout=asyncio.subprocess.PIPE,
    )
    assert command.stdout is not None
    while b"tried out" not in await command.stdout.readline():
        assert not command.stdout.at_eof()

    command.terminate()
    await command.stdout.read()
    code = await command.wait()

    assert code == 143
    assert repository.served(NAME) == ("1",)
    assert await operators[0].ready() == {"1"}


async def test_what_answers_already_is_said_before_anything_is_loaded(
    operators: list[Operator],
) -> None:
    operator, _ = operators

    with pytest.raises(NothingToDecide, match="version 1 answers already"):
        await operator.make(Promotion("1"))

    assert not any("loaded" in line for line in operator.told)


async def test_what_answers_ends_a_trial_without_being_tried_out(operators: list[Operator]) -> None:
    operator, _ = operators
    await operator.make(Promotion("2", canary=0.5))
    operator.told.clear()

    await operator.make(Promotion("1"))

    holds = await operator.decisions.of(NAME)
    assert holds is not None
    assert (holds.version, holds.canary) == ("1", None)
    assert not any("tried out" in line for line in operator.told)


async def test_a_rollback_during_a_promotion_keeps_what_it_needs(operators: list[Operator]) -> None:
    one, other = operators
    promoting = asyncio.create_task(one.make(Promotion("2"), wait_s=30))
    await one.is_waiting.wait()

    await other.make(Rollback())
    await other.ask("2", until=promoting)

    assert await one.ready() == {"1", "2"}
    assert "left loaded" in one.told[-1]
