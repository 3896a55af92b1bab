"""Which model versions answer: those decided, each from its warm-up until it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

import structlog

from stream.domain.rollouts import Rollout
from stream.errors import InferenceError, ModelMismatch
from stream.model_specs import FORECASTER, RECOMMENDER, ModelSpec
from stream.pipeline.forecasts import Forecaster
from stream.pipeline.lineup import ANSWERING, CANARY, SHADOW, WARMING, Canary, Lineup
from stream.pipeline.presence import Presence
from stream.pipeline.proposals import Proposer
from stream.pipeline.refusals import Refusals
from stream.pipeline.rollouts import Rollouts
from stream.pipeline.scoring import Vocabulary
from stream.pipeline.warming import ModelServer, warm_forecaster, warmed_recommender
from stream.telemetry import Telemetry

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What to serve.

    Attributes:
        rollouts: What was decided.
        pinned: By the operator of this worker, by model name; wins over what was decided. Empty
            means that it does not.
        full_rows: Rows of a full request, by model name.
    """

    rollouts: Rollouts
    pinned: Mapping[str, str]
    full_rows: Mapping[str, int]

    def rollout(self, spec: ModelSpec) -> Rollout | None:
        """Return the decision that this worker obeys; None: it takes what is pinned, or newest."""
        return None if self.pinned.get(spec.name) else self.rollouts.of(spec.name)


class Serving:
    """Gives the pipelines the versions to ask for, once each has answered a warm-up.

    Where one that is wanted fails it, the one in use goes on. Without any, answers are degraded: a
    store without its model still has trends.

    Args:
        servers: The server, as it is asked for each role, and to warm up what is to answer, so that
            what fails there is no failure of who answers; the answering one's stands for all where
            there is no other.
    """

    def __init__(
        self,
        servers: Mapping[str, ModelServer],
        proposer: Proposer,
        forecaster: Forecaster,
        *,
        wishes: Wishes,
        telemetry: Telemetry,
        retry_s: float,
        again_s: float,
    ) -> None:
        self._server = servers[ANSWERING]
        self._servers = servers
        self._presence = Presence(self._server, proposer, forecaster)
        self._proposer = proposer
        self._forecaster = forecaster
        self._wishes = wishes
        self._telemetry = telemetry
        self._refusals = Refusals(again_s=again_s)
        self._retry_s = retry_s

    @property
    def ready(self) -> bool:
        """Whether the pipelines know which versions to ask for."""
        return self._proposer.lineup.answering is not None and bool(self._forecaster.version)

    def missing(self) -> Iterator[str]:
        """Yield why answers are degraded now; nothing when they are not.

        The server is asked now and then, so that it is not missed only once somebody needs it.
        """
        if not self.ready:
            yield "the models are not served yet"
        if self._presence.away:
            yield f"the model server does not answer: {self._presence.away}"
        for model in self._server.held_back():
            yield f"{model} is held back until it answers"

    async def follow(self) -> None:
        """Keep the pipelines on versions that are wanted and served; never returns.

        Raises:
            ModelMismatch: As ``until_ready``.
        """
        while True:
            await self._bring_up()
            await asyncio.sleep(self._retry_s)
            await self._presence.look()
            await self._presence.touch()

    async def until_ready(self) -> None:
        """Try until the models are there.

        Raises:
            ModelMismatch: The server has other models than ours; trying again will not help.
        """
        await self._bring_up()
        while not self.ready:
            await asyncio.sleep(self._retry_s)
            await self._bring_up()

    async def _bring_up(self) -> None:
        """Try to serve what is wanted; a model that is not there keeps the other from nothing."""
        if self._wishes.rollouts.are_known:
            await self._try(RECOMMENDER, self._serve_recommender)
            await self._try(FORECASTER, self._serve_forecaster)
            self._show()

    async def _try(self, spec: ModelSpec, serve: Callable[[], Awaitable[None]]) -> None:
        try:
            await serve()
        except InferenceError as error:
            log.warning(
                "model_not_ready", model=spec.name, reason=str(error), retry_s=self._retry_s
            )

    # -- the recommender

    async def _serve_recommender(self) -> None:
        """Bring up what is wanted, then let the pipeline take all of it in one step."""
        rollout, before = self._wishes.rollout(RECOMMENDER), self._proposer.lineup
        version = await self._wanted(RECOMMENDER, before.versions().get(ANSWERING, ""))
        answering = await self._vocabulary(ANSWERING, version, before) or before.answering
        canary, shadow = None, None
        if rollout is not None and rollout.canary is not None:
            trial = rollout.canary
            canary = Canary(trial, await self._vocabulary(CANARY, trial.version, before))
        if rollout is not None and rollout.shadow is not None:
            shadow = await self._vocabulary(SHADOW, rollout.shadow, before)
        if self._proposer.lineup is not before:
            return  # a version in it was found wanting meanwhile: look again
        after = Lineup(answering, canary, shadow)
        if after != before:
            self._proposer.lineup = after
            log.info("recommender_ready", **after.versions())
        wanted = rollout.versions if rollout else {version}
        self._refusals.keep(RECOMMENDER.name, wanted - set(after.versions().values()))

    async def _vocabulary(self, role: str, version: str, before: Lineup) -> Vocabulary | None:
        """Return the vocabulary of a version that may be asked, None for one that may not (yet).

        Raises:
            InferenceError, ModelMismatch: It may not, and nothing else answers.
        """
        in_use = next((each for each in before.vocabularies() if each.version == version), None)
        alone = role == ANSWERING and before.answering is None
        if in_use is not None or not (alone or self._refusals.is_due(RECOMMENDER.name, version)):
            return in_use
        server = self._servers.get(WARMING if role == ANSWERING else role, self._server)
        n_rows, in_full = self._wishes.full_rows[RECOMMENDER.name], not alone
        try:
            return await warmed_recommender(server, version, n_rows, in_full=in_full)
        except (InferenceError, ModelMismatch) as error:
            self._refusals.add(RECOMMENDER.name, version, role=role, error=error)
            if alone:
                raise
            return None

    # -- the forecaster

    async def _serve_forecaster(self) -> None:
        before = self._forecaster.version
        version = await self._wanted(FORECASTER, before)
        if version != before and (not before or self._refusals.is_due(FORECASTER.name, version)):
            await self._begin_forecaster(version)
        self._refusals.keep(FORECASTER.name, {version} - {self._forecaster.version})

    async def _begin_forecaster(self, version: str) -> None:
        n_rows = self._wishes.full_rows[FORECASTER.name]
        server, in_full = self._servers.get(WARMING, self._server), bool(self._forecaster.version)
        try:
            await warm_forecaster(server, version, n_rows, in_full=in_full)
        except (InferenceError, ModelMismatch) as error:
            self._refusals.add(FORECASTER.name, version, role=ANSWERING, error=error)
            if not self._forecaster.version:
                raise
            return
        self._forecaster.version = version
        log.info("forecaster_ready", version=version)

    # -- both

    async def _wanted(self, spec: ModelSpec, in_use: str) -> str:
        """Return the version to answer: pinned, or decided, or the one in use, or the newest."""
        rollout = self._wishes.rollout(spec)
        decided = self._wishes.pinned.get(spec.name) or (rollout.version if rollout else in_use)
        if decided:
            return decided
        await self._server.check([spec])
        return await self._server.newest_version(spec)

    def _show(self) -> None:
        """Tell the versions in use, and those refused."""
        told = self._telemetry.model_version
        told.clear()
        for role, version in self._proposer.lineup.versions().items():
            told.labels(RECOMMENDER.name, role, version).set(1)
        if self._forecaster.version:
            told.labels(FORECASTER.name, ANSWERING, self._forecaster.version).set(1)
        for model, version in self._refusals.all():
            told.labels(model, "refused", version).set(1)
