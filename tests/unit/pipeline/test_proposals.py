"""Who is asked for whom: the version that answers, one on trial, and one in the shadow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from prometheus_client.samples import Sample

from stream.domain.applied import EVENTS_TOPIC, Source
from stream.domain.rollouts import Trial, is_in_canary
from stream.domain.sessions import Session, advance
from stream.errors import InferenceRejected, InferenceUnavailable
from stream.model_specs import ModelSpec
from stream.pipeline.lineup import Canary, Lineup
from stream.pipeline.proposals import Proposals, Proposer
from stream.pipeline.scoring import Vocabulary
from stream.pipeline.shadow import Shadow
from stream.pipeline.visits import Visit
from stream.ports import Tensors
from stream.telemetry import Telemetry
from tests.unit.builders import make_view
from tests.unit.pipeline.fakes import KeptStates, Model, settled
from tests.unit.pipeline.scenes import PRODUCTS

OLD, NEW = Vocabulary.of("1", PRODUCTS), Vocabulary.of("2", PRODUCTS[::-1])
HALF = Trial("2", 0.5)
VISITORS = [f"visitor-{n}" for n in range(40)]
TRIED = {visitor for visitor in VISITORS if is_in_canary(visitor, "recommender", HALF)}


def make_visit(visitor_id: str, product_id: str = "p1") -> Visit:
    event = make_view(product_id=product_id, visitor_id=visitor_id)
    session = advance(Session(), event, Source(EVENTS_TOPIC, 0, 1, 0))
    return Visit(KeptStates(0), visitor_id, session, (), simulated=False)


VISITS = [make_visit(visitor) for visitor in VISITORS]


def refuse(error: Exception) -> Callable[[Tensors], Exception | None]:
    return lambda _: error


def not_finite(outputs: Tensors) -> Tensors:
    return {**outputs, "scores": np.full_like(outputs["scores"], np.nan)}


def foreign(outputs: Tensors) -> Tensors:
    return {**outputs, "candidates": outputs["candidates"] + 10_000}


def by_visitor(proposals: Proposals) -> dict[str, tuple[str | None, str]]:
    return {
        visitor: (proposals.versions.get(row), proposals.variant(row))
        for row, visitor in enumerate(VISITORS)
    }


async def test_each_version_is_asked_for_its_own_visitors_in_one_request_each() -> None:
    main, trial = Model(), Model()
    proposer = Proposer(main, trial=trial)
    proposer.lineup = Lineup(OLD, Canary(HALF, NEW))

    proposals = await proposer.propose(VISITS)

    assert by_visitor(proposals) == {
        visitor: ("2", "recommender-2-canary") if visitor in TRIED else ("1", "recommender-1")
        for visitor in VISITORS
    }
    assert main.requests == [("recommender", "1", 40 - len(TRIED))]
    assert trial.requests == [("recommender", "2", len(TRIED))]


async def test_candidates_bear_the_names_of_the_vocabulary_of_who_proposed_them() -> None:
    proposer = Proposer(Model())
    proposer.lineup = Lineup(OLD, Canary(HALF, NEW))

    proposals = await proposer.propose(VISITS)

    best = {visitor: next(proposals.candidates[row])[0] for row, visitor in enumerate(VISITORS)}
    assert {best[visitor] for visitor in TRIED} == {PRODUCTS[-1]}
    assert {best[visitor] for visitor in set(VISITORS) - TRIED} == {PRODUCTS[0]}


@pytest.mark.parametrize(
    "trial",
    [
        Model(refuse=refuse(InferenceUnavailable("away"))),
        Model(refuse=refuse(InferenceRejected("no"))),
        Model(alter=not_finite),
        Model(alter=foreign),
    ],
)
async def test_whom_the_trial_fails_the_other_version_answers_and_the_variant_stays(
    trial: Model,
) -> None:
    proposer = Proposer(Model(), trial=trial)
    proposer.lineup = Lineup(OLD, Canary(HALF, NEW))

    proposals = await proposer.propose(VISITS)

    assert set(proposals.versions.values()) == {"1"}
    assert len(proposals.candidates) == len(VISITS)
    assert (proposals.degraded, proposals.refused) == (frozenset(), {})
    assert {proposals.variant(row) for row in range(40)} == {
        "recommender-1",
        "recommender-2-canary",
    }


async def test_what_a_trial_refuses_is_not_halved() -> None:
    trial = Model(refuse=refuse(InferenceRejected("no")))
    proposer = Proposer(Model(), trial=trial)
    proposer.lineup = Lineup(OLD, Canary(HALF, NEW))

    await proposer.propose(VISITS)

    assert trial.requests == [("recommender", "2", len(TRIED))]


async def test_trial_whose_version_is_not_there_is_answered_by_the_other() -> None:
    trial = Model()
    proposer = Proposer(Model(), trial=trial)
    proposer.lineup = Lineup(OLD, Canary(HALF))

    proposals = await proposer.propose(VISITS)

    assert set(proposals.versions.values()) == {"1"}
    assert trial.requests == []


async def test_foreign_candidates_of_a_trial_take_nothing_from_what_answers() -> None:
    proposer = Proposer(Model(), trial=Model(alter=foreign))
    proposer.lineup = Lineup(OLD, Canary(HALF, NEW))

    await proposer.propose(VISITS)

    assert proposer.lineup == Lineup(OLD, Canary(HALF))


async def test_without_any_version_the_variant_says_counts() -> None:
    proposals = await Proposer(Model()).propose(VISITS[:1])

    assert proposals.variant(0) == "counts"
    assert proposals.degraded == {0}


class Slow(Model):
    """Answers once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = asyncio.Event()

    async def infer(self, spec: ModelSpec, version: str, inputs: Tensors) -> Tensors:
        await self.may_answer.wait()
        return await super().infer(spec, version, inputs)


async def test_a_micro_batch_under_way_keeps_the_version_it_began_with() -> None:
    model = Slow()
    proposer = Proposer(model)
    proposer.lineup = Lineup(OLD)
    first = asyncio.create_task(proposer.propose(VISITS))
    await settled()

    proposer.lineup = Lineup(NEW)
    second = asyncio.create_task(proposer.propose(VISITS))
    await settled()
    model.may_answer.set()

    assert set((await first).versions.values()) == {"1"}
    assert set((await second).versions.values()) == {"2"}


class SlowToRefuse(Slow):
    """Refuses once it may."""

    async def infer(self, spec: ModelSpec, version: str, inputs: Tensors) -> Tensors:
        await self.may_answer.wait()
        raise InferenceUnavailable("away")


async def test_whom_a_trial_fails_late_is_answered_by_the_version_of_its_micro_batch() -> None:
    trial = SlowToRefuse()
    proposer = Proposer(Model(), trial=trial)
    proposer.lineup = Lineup(OLD, Canary(HALF, NEW))
    proposing = asyncio.create_task(proposer.propose(VISITS))
    await settled()

    proposer.lineup = Lineup(NEW)
    trial.may_answer.set()

    assert set((await proposing).versions.values()) == {"1"}


async def test_row_whose_scores_are_no_numbers_has_no_candidates_and_is_degraded() -> None:
    proposer = Proposer(Model(alter=not_finite))
    proposer.lineup = Lineup(OLD)

    proposals = await proposer.propose(VISITS[:2])

    assert (proposals.candidates, proposals.versions) == ({}, {})
    assert proposals.degraded == {0, 1}


# --- Shadow ------------------------------------------------------------------------------------


class Shadowed:
    """A proposer with NEW in its shadow."""

    def __init__(self, model: Model) -> None:
        self.telemetry, self.model = Telemetry(), model
        self.shadow = Shadow(model, self.telemetry)
        self.proposer = Proposer(Model(), shadow=self.shadow)
        self.proposer.lineup = Lineup(OLD, shadow=NEW)

    def rows(self) -> dict[str, float]:
        return {
            sample.labels["outcome"]: sample.value
            for sample in self._samples(self.telemetry.shadow_rows)
            if sample.name.endswith("_total") and sample.value
        }

    def overlap(self) -> float:
        return sum(
            sample.value
            for sample in self._samples(self.telemetry.shadow_overlap)
            if sample.name.endswith("_sum")
        )

    @staticmethod
    def _samples(metric: Any) -> Iterator[Sample]:
        return (sample for family in metric.collect() for sample in family.samples)


async def test_shadow_is_compared_and_changes_no_answer() -> None:
    def overlapping(outputs: Tensors) -> Tensors:
        # Three of OLD's best ten, as indices of NEW: p1, p2 and p3 are its last.
        ids = outputs["candidates"].copy()
        ids[:, :3] = np.array([64, 63, 62])
        ids[:, 3:10] = np.arange(1, 8)
        return {**outputs, "candidates": ids}

    shadowed = Shadowed(Model(alter=overlapping))

    proposals = await shadowed.proposer.propose(VISITS)
    await settled()

    assert set(proposals.versions.values()) == {"1"}
    assert shadowed.rows() == {"compared": 40}
    assert shadowed.overlap() == pytest.approx(0.3)


async def test_shadow_that_is_busy_leaves_out_what_comes_meanwhile() -> None:
    model = Slow()
    shadowed = Shadowed(model)

    for _ in range(3):
        await shadowed.proposer.propose(VISITS)
    model.may_answer.set()
    await settled()
    await shadowed.proposer.propose(VISITS)
    await settled()

    assert shadowed.rows() == {"compared": 80, "left_out": 80}


@pytest.mark.parametrize(
    ("model", "outcome"),
    [
        (Model(refuse=refuse(InferenceUnavailable("away"))), "failed"),
        (Model(refuse=refuse(LookupError("a bug"))), "failed"),
        (Model(refuse=refuse(InferenceRejected("no"))), "refused"),
        (Model(alter=not_finite), "failed"),
        (Model(alter=foreign), "failed"),
    ],
)
async def test_whatever_a_shadow_does_is_counted_and_raises_nothing(
    model: Model, outcome: str
) -> None:
    shadowed = Shadowed(model)

    proposals = await shadowed.proposer.propose(VISITS)
    await settled()

    assert proposals.degraded == frozenset()
    assert shadowed.rows() == {outcome: 40}


async def test_what_the_shadow_does_not_know_is_counted() -> None:
    shadowed = Shadowed(Model())
    shadowed.proposer.lineup = Lineup(OLD, shadow=Vocabulary.of("2", ("other",)))

    await shadowed.proposer.propose(VISITS)
    await settled()

    assert shadowed.rows() == {"unknown": 40}


async def test_stopping_ends_the_shadow_and_leaves_no_task() -> None:
    shadowed = Shadowed(Slow())
    await shadowed.proposer.propose(VISITS)

    await shadowed.shadow.stop()
    await shadowed.proposer.propose(VISITS)

    assert asyncio.all_tasks() == {asyncio.current_task()}
