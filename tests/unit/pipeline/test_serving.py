from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
import pytest_asyncio

from stream.codec import encode
from stream.domain.rollouts import Rollout, Trial
from stream.errors import InferenceError, InferenceRejected, InferenceUnavailable
from stream.model_specs import ModelSpec
from stream.pipeline.forecasts import Forecaster
from stream.pipeline.lineup import ANSWERING, WARMING
from stream.pipeline.proposals import Proposer
from stream.pipeline.rollouts import Rollouts
from stream.pipeline.serving import Serving, Wishes
from stream.ports import Tensors
from stream.telemetry import Telemetry
from tests.unit.builders import Record
from tests.unit.pipeline.fakes import Model, settled
from tests.unit.pipeline.scenes import PRODUCTS


def no_numbers(answer: Tensors) -> Tensors:
    """What a model answers whose weights are no numbers."""
    return {
        name: np.full_like(tensor, np.nan) if tensor.dtype == np.float32 else tensor
        for name, tensor in answer.items()
    }


def foreign(answer: Tensors) -> Tensors:
    """What a model answers that has another vocabulary."""
    return {**answer, "candidates": answer["candidates"] + 1}


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
        self.beside: set[str] = set()
        self.touched: list[tuple[str, str]] = []
        self.products: dict[str, tuple[str, ...]] = {}
        self.broken: set[str] = set()
        self.breaking = no_numbers

    async def infer(self, spec: ModelSpec, version: str, inputs: Tensors) -> Tensors:
        n_rows = len(next(iter(inputs.values())))
        self.n_rows.append((spec.name, n_rows))
        if n_rows > self.most_rows:
            raise InferenceUnavailable("too many at once")
        if self.failures:
            raise self.failures.pop()
        if version not in {self.served, *self.beside}:
            raise InferenceUnavailable(f"version {version} is not found")
        answer = await super().infer(spec, version, inputs)
        return self.breaking(answer) if version in self.broken else answer

    async def check(self, specs: Sequence[ModelSpec]) -> None:
        """Every model fits, if it can be loaded."""
        if self.missing in {spec.name for spec in specs}:
            raise InferenceUnavailable(f"{self.missing} cannot be loaded")

    async def newest_version(self, spec: ModelSpec) -> str:
        return max([self.asked(), *self.beside], key=int)

    async def is_ready(self, spec: ModelSpec, version: str) -> bool:
        return version in {self.asked(), *self.beside}

    async def touch(self, spec: ModelSpec, version: str) -> None:
        self.touched.append((spec.name, version))
        if version not in {self.asked(), *self.beside}:
            raise InferenceUnavailable(f"version {version} is not found")

    def held_back(self) -> Sequence[str]:
        return self.resting

    def asked(self) -> str:
        if self.served is None:
            raise InferenceUnavailable("away")
        return self.served

    async def vocabulary(self, version: str) -> tuple[str, ...]:
        if version not in {self.asked(), *self.beside}:
            raise InferenceUnavailable(f"version {version} is not found")
        return self.products.get(version, PRODUCTS)


@dataclass
class Served:
    """Serving over *server*, and what it gives versions to."""

    server: Server
    versions: dict[str, str] = field(default_factory=dict)
    warming: Server | None = None
    again_s: float = 0.0
    are_read: bool = True
    telemetry: Telemetry = field(default_factory=Telemetry)

    def __post_init__(self) -> None:
        self.proposer, self.forecaster = Proposer(self.server), Forecaster(self.server)
        self.rollouts = Rollouts(self.telemetry, are_read=lambda: self.are_read)
        self.serving = Serving(
            {ANSWERING: self.server, WARMING: self.warming or self.server},
            self.proposer,
            self.forecaster,
            wishes=Wishes(self.rollouts, self.versions, {"recommender": 8, "forecaster": 4}),
            telemetry=self.telemetry,
            retry_s=0.0,
            again_s=self.again_s,
        )

    def in_use(self) -> tuple[str | None, str]:
        vocabulary = self.proposer.lineup.answering
        return vocabulary.version if vocabulary else None, self.forecaster.version

    def known(self) -> tuple[str, ...] | None:
        """Return the products by whose names the answers go."""
        vocabulary = self.proposer.lineup.answering
        return vocabulary.product_ids if vocabulary else None

    def decide(self, rollout: Rollout) -> None:
        self.rollouts.apply([Record(encode(rollout), rollout.model.encode())])

    def told(self) -> set[tuple[str, str, str]]:
        """Model, role and version of each that the metric shows."""
        return {
            (sample.labels["model"], sample.labels["role"], sample.labels["version"])
            for family in self.telemetry.model_version.collect()
            for sample in family.samples
        }


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


async def test_what_is_in_use_is_asked_now_and_then_though_nobody_comes(followed: Served) -> None:
    followed.server.beside |= {"2", "3"}
    followed.decide(
        Rollout(
            model="recommender",
            revision=1,
            version="1",
            canary=Trial("2", 0.5),
            shadow="3",
            decided_at_ms=0,
        )
    )
    await settled()
    followed.server.touched.clear()

    await settled()

    assert set(followed.server.touched) == {
        ("recommender_vocabulary", "1"),
        ("recommender_vocabulary", "2"),
        ("recommender_vocabulary", "3"),
        ("forecaster", "1"),
    }


async def test_what_is_in_use_is_asked_though_another_model_is_missing() -> None:
    served = Served(Server())
    served.server.missing = "forecaster"
    following = asyncio.create_task(served.serving.follow())

    await settled()
    following.cancel()

    assert set(served.server.touched) == {("recommender_vocabulary", "1")}


async def test_a_version_goes_though_another_model_is_missing() -> None:
    served = Served(Server())
    served.server.missing = "forecaster"
    following = asyncio.create_task(served.serving.follow())
    await settled()

    served.server.served = "2"
    await settled()
    following.cancel()

    assert served.in_use() == ("2", "")


async def test_each_version_brings_its_own_vocabulary(followed: Served) -> None:
    followed.server.beside.add("2")
    followed.server.products["2"] = PRODUCTS[::-1]
    before = followed.known()

    followed.decide(Rollout(model="recommender", revision=1, version="2", decided_at_ms=0))
    await settled()

    assert (before, followed.known()) == (PRODUCTS, PRODUCTS[::-1])


async def test_a_server_that_was_away_may_have_another_vocabulary(followed: Served) -> None:
    followed.server.served = None
    await settled()
    followed.server.products["1"] = PRODUCTS[::-1]
    meanwhile = followed.known()

    followed.server.served = "1"
    await settled()

    assert (meanwhile, followed.known()) == (PRODUCTS, PRODUCTS[::-1])


async def test_a_version_that_cannot_answer_a_full_request_takes_nobodys_place(
    followed: Served,
) -> None:
    followed.server.beside.add("2")
    followed.server.most_rows = 4

    followed.decide(Rollout(model="recommender", revision=1, version="2", decided_at_ms=0))
    await settled()

    assert followed.in_use() == ("1", "1")
    assert ("recommender", "refused", "2") in followed.told()


async def test_a_warm_up_is_no_request_of_who_answers() -> None:
    served = Served(Server(), warming=Server())

    await served.serving.until_ready()

    assert served.server.n_rows == []
    assert served.serving.ready


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


# --- Decisions ---------------------------------------------------------------------------------


def make_rollout(
    version: str = "2",
    *,
    model: str = "recommender",
    revision: int = 1,
    canary: Trial | None = None,
    shadow: str | None = None,
) -> Rollout:
    return Rollout(
        model=model,
        revision=revision,
        version=version,
        canary=canary,
        shadow=shadow,
        decided_at_ms=0,
    )


async def test_newer_version_that_appears_is_not_taken_before_somebody_decides(
    followed: Served,
) -> None:
    followed.server.beside = {"2"}
    await settled()

    assert followed.in_use() == ("1", "1")


async def test_decided_version_is_taken_once_it_has_answered_a_warm_up(followed: Served) -> None:
    followed.decide(make_rollout("2"))
    followed.decide(make_rollout("2", model="forecaster"))
    await settled()
    before = followed.in_use()

    followed.server.beside = {"2"}
    await settled()

    assert before == ("1", "1")
    assert followed.in_use() == ("2", "2")


async def test_worker_that_starts_waits_for_the_decisions_and_obeys_them() -> None:
    served = Served(Server(), are_read=False)
    served.server.beside = {"2"}
    following = asyncio.create_task(served.serving.follow())
    await settled()
    before = served.in_use()

    served.decide(make_rollout("1"))
    served.are_read = True
    await settled()
    following.cancel()

    assert before == (None, "")
    assert served.in_use() == ("1", "2")


async def test_pinned_version_ignores_what_was_decided() -> None:
    served = Served(Server(), {"recommender": "1", "forecaster": "1"})
    served.server.beside = {"2"}
    served.decide(make_rollout("2", canary=Trial("2", 0.5), shadow="2"))

    await served.serving.until_ready()

    assert served.in_use() == ("1", "1")
    assert served.proposer.lineup.canary is None


@pytest.mark.parametrize("model", ["recommender", "forecaster"])
async def test_version_that_fails_its_warm_up_never_answers_and_is_told(
    followed: Served, model: str
) -> None:
    followed.server.beside = followed.server.broken = {"2"}
    followed.decide(make_rollout("2", model=model))
    await settled()

    assert followed.in_use() == ("1", "1")
    assert (model, "refused", "2") in followed.told()
    assert (model, "answering", "1") in followed.told()


async def test_version_whose_candidates_are_not_in_its_vocabulary_never_answers(
    followed: Served,
) -> None:
    followed.server.beside = followed.server.broken = {"2"}
    followed.server.breaking = foreign
    followed.decide(make_rollout("2"))
    await settled()

    assert followed.in_use() == ("1", "1")


async def test_version_that_recovers_is_taken_and_no_longer_told_as_refused(
    followed: Served,
) -> None:
    followed.server.beside = followed.server.broken = {"2"}
    followed.decide(make_rollout("2"))
    await settled()

    followed.server.broken = set()
    await settled()

    assert followed.in_use() == ("2", "1")
    assert followed.told() == {("recommender", "answering", "2"), ("forecaster", "answering", "1")}


async def test_refused_version_is_tried_again_only_now_and_then() -> None:
    served = Served(Server(), again_s=3600)
    await served.serving.until_ready()
    served.server.beside = served.server.broken = {"2"}
    served.decide(make_rollout("2"))
    served.decide(make_rollout("2", model="forecaster"))
    await served.serving.until_ready()
    n_asked = len(served.server.n_rows)

    await served.serving.until_ready()

    assert len(served.server.n_rows) == n_asked


async def test_canary_and_shadow_come_up_beside_what_answers(followed: Served) -> None:
    followed.server.beside = {"2", "3"}
    followed.decide(make_rollout("1", canary=Trial("2", 0.5), shadow="3"))
    await settled()

    assert followed.proposer.lineup.versions() == {"answering": "1", "canary": "2", "shadow": "3"}
    assert ("recommender", "canary", "2") in followed.told()


async def test_visitors_of_a_canary_are_told_apart_before_its_version_is_there(
    followed: Served,
) -> None:
    followed.decide(make_rollout("1", canary=Trial("2", 0.5)))
    await settled()

    lineup = followed.proposer.lineup
    assert lineup.versions() == {"answering": "1"}
    assert lineup.variant(in_canary=True) == "recommender-2-canary"


async def test_version_in_the_canary_is_promoted_without_another_warm_up(followed: Served) -> None:
    followed.server.beside = {"2"}
    followed.decide(make_rollout("1", canary=Trial("2", 0.5)))
    await settled()
    n_asked = len(followed.server.n_rows)

    followed.decide(make_rollout("2", revision=2))
    await settled()

    assert followed.proposer.lineup.versions() == {"answering": "2"}
    assert len(followed.server.n_rows) == n_asked


async def test_trial_whose_version_is_gone_leaves_the_answers_alone(followed: Served) -> None:
    followed.server.beside = {"2"}
    followed.decide(make_rollout("1", canary=Trial("2", 0.5), shadow="2"))
    await settled()

    followed.server.beside = set()
    await settled()

    assert followed.proposer.lineup.versions() == {"answering": "1"}
    assert followed.serving.ready


async def test_older_decision_that_is_read_again_changes_nothing(followed: Served) -> None:
    followed.server.beside = {"2"}
    followed.decide(make_rollout("2", revision=2))
    followed.decide(make_rollout("1", revision=1))
    await settled()

    assert followed.in_use() == ("2", "1")


async def test_unreadable_decision_is_counted_and_the_one_before_holds(followed: Served) -> None:
    followed.server.beside = {"2"}
    followed.decide(make_rollout("2"))
    followed.rollouts.apply([Record(b"{", b"recommender"), Record(None, b"recommender")])
    await settled()

    rejected = followed.telemetry.records_rejected.labels("store.model-rollouts.v1", "InvalidEvent")
    assert rejected._value.get() == 2
    assert followed.in_use() == ("2", "1")
