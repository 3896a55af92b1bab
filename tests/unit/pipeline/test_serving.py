from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from stream.errors import InferenceError, InferenceRejected, InferenceUnavailable
from stream.model_specs import ModelSpec
from stream.pipeline.forecasts import Forecaster
from stream.pipeline.proposals import Proposer
from stream.pipeline.serving import Serving
from stream.ports import Tensors
from tests.unit.pipeline.fakes import Model, settled


class Server(Model):
    """A server of one version whose warm-up fails so many times; a *missing* model never loads."""

    def __init__(self, *failures: InferenceError) -> None:
        super().__init__()
        self.failures = list(failures)
        self.served: str | None = "1"
        self.missing: str | None = None
        self.most_rows = 1_000
        self.n_rows: list[tuple[str, int]] = []
        self.resting: list[str] = []

    async def infer(self, spec: ModelSpec, version: str, inputs: Tensors) -> Tensors:
        n_rows = len(next(iter(inputs.values())))
        self.n_rows.append((spec.name, n_rows))
        if n_rows > self.most_rows:
            raise InferenceUnavailable("too many at once")
        if self.failures:
            raise self.failures.pop()
        if version != self.served:
            raise InferenceUnavailable(f"version {version} is not found")
        return await super().infer(spec, version, inputs)

    async def check(self, specs: Sequence[ModelSpec]) -> None:
        """Every model fits, if it can be loaded."""
        if self.missing in {spec.name for spec in specs}:
            raise InferenceUnavailable(f"{self.missing} cannot be loaded")

    async def newest_version(self, spec: ModelSpec) -> str:
        return self.asked()

    async def is_ready(self, spec: ModelSpec, version: str) -> bool:
        return version == self.asked()

    def held_back(self) -> Sequence[str]:
        return self.resting

    def asked(self) -> str:
        if self.served is None:
            raise InferenceUnavailable("away")
        return self.served

    async def vocabulary(self, version: str) -> tuple[str, ...]:
        if version != self.served:
            raise InferenceUnavailable(f"version {version} is not found")
        return ("milk", "bread")


@dataclass
class Served:
    """Serving over *server*, and what it gives versions to."""

    server: Server
    versions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.proposer, self.forecaster = Proposer(self.server), Forecaster(self.server)
        self.serving = Serving(
            self.server,
            self.proposer,
            self.forecaster,
            versions=self.versions,
            full_rows={"recommender": 8, "forecaster": 4},
            retry_s=0.0,
        )

    def in_use(self) -> tuple[str | None, str]:
        vocabulary = self.proposer.vocabulary
        return vocabulary.version if vocabulary else None, self.forecaster.version


@pytest_asyncio.fixture
async def followed() -> AsyncIterator[Served]:
    served = Served(Server())
    following = asyncio.create_task(served.serving.follow())
    await settled()
    yield served
    following.cancel()


@pytest.mark.parametrize("failure", [InferenceUnavailable("away"), InferenceRejected("no")])
async def test_warm_up_that_fails_is_tried_again(failure: InferenceError) -> None:
    serving = Served(Server(failure, failure)).serving

    await serving.until_ready()

    assert serving.ready


async def test_redeployed_version_is_taken_up_when_the_old_one_is_gone(followed: Served) -> None:
    assert followed.in_use() == ("1", "1")

    followed.server.served = "2"
    await settled()

    assert followed.in_use() == ("2", "2")


async def test_server_that_is_away_keeps_the_versions_in_use(followed: Served) -> None:
    followed.server.served = None
    await settled()

    assert followed.in_use() == ("1", "1")
    assert followed.serving.ready
    assert [*followed.serving.missing()] == ["the model server does not answer: away"]


async def test_server_that_answers_again_is_missed_no_more(followed: Served) -> None:
    followed.server.served = None
    await settled()
    followed.server.served = "1"
    await settled()

    assert [*followed.serving.missing()] == []


async def test_model_that_is_held_back_is_missed(followed: Served) -> None:
    followed.server.resting = ["forecaster"]

    assert [*followed.serving.missing()] == ["forecaster is held back until it answers"]


async def test_models_are_missed_until_they_are_served() -> None:
    serving = Served(Server()).serving
    before = [*serving.missing()]

    await serving.until_ready()

    assert before == ["the models are not served yet"]
    assert [*serving.missing()] == []


async def test_warm_up_is_one_row_and_then_a_full_request() -> None:
    served = Served(Server())

    await served.serving.until_ready()

    assert served.server.n_rows == [
        ("recommender", 1),
        ("recommender", 8),
        ("forecaster", 1),
        ("forecaster", 4),
    ]


async def test_full_request_that_is_not_answered_keeps_from_nothing() -> None:
    served = Served(Server())
    served.server.most_rows = 4

    await served.serving.until_ready()

    assert served.serving.ready


async def test_pinned_version_that_is_gone_is_waited_for() -> None:
    served = Served(Server(), {"recommender": "1", "forecaster": "1"})
    following = asyncio.create_task(served.serving.follow())
    await settled()

    served.server.served = "2"
    await settled()
    ready_without_it = served.serving.ready
    served.server.served = "1"
    await settled()
    following.cancel()

    assert not ready_without_it
    assert served.in_use() == ("1", "1")


@pytest.mark.parametrize(
    ("missing", "in_use"), [("recommender", (None, "1")), ("forecaster", ("1", ""))]
)
async def test_a_model_that_cannot_be_loaded_keeps_the_other_from_nothing(
    missing: str, in_use: tuple[str | None, str]
) -> None:
    served = Served(Server())
    served.server.missing = missing
    following = asyncio.create_task(served.serving.follow())

    await settled()
    before = served.in_use()
    served.server.missing = None
    await settled()
    following.cancel()

    assert before == in_use
    assert served.in_use() == ("1", "1")
