"""Which model versions answer: asked for until they are there, and again when they are gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import structlog

from stream.errors import InferenceError
from stream.model_specs import (
    FORECASTER,
    HISTORY_DAYS,
    MAX_ITEMS,
    RECOMMENDER,
    VOCABULARY,
    ModelSpec,
)
from stream.pipeline.forecasts import Forecaster
from stream.pipeline.proposals import Proposer
from stream.pipeline.scoring import Vocabulary
from stream.ports import Inference, Tensors

log = structlog.get_logger(__name__)


class ModelServer(Inference, Protocol):
    """A server that can be asked what it serves."""

    async def check(self, specs: Sequence[ModelSpec]) -> None:
        """Compare its models with *specs*.

        Raises:
            ModelMismatch: One has other tensors.
            InferenceUnavailable: It does not answer.
        """

    async def newest_version(self, spec: ModelSpec) -> str:
        """Return the newest version that is ready."""

    async def is_ready(self, spec: ModelSpec, version: str) -> bool:
        """Return whether *version* is served; raises InferenceUnavailable without an answer."""

    async def vocabulary(self, version: str) -> tuple[str, ...]:
        """Return the product ids that a recommender version knows, in order of their index."""

    def held_back(self) -> Sequence[str]:
        """Return the models that are not asked now, because they did not answer."""


class Serving:
    """Gives the pipelines the versions to ask for, once each has answered a warm-up.

    Without them answers are degraded: a store without its model still has trends.

    Args:
        versions: Pinned by the operator, by model name; empty means the newest.
        full_rows: Rows of a full request, by model name.
    """

    def __init__(
        self,
        server: ModelServer,
        proposer: Proposer,
        forecaster: Forecaster,
        *,
        versions: Mapping[str, str],
        full_rows: Mapping[str, int],
        retry_s: float,
    ) -> None:
        self._server = server
        self._proposer = proposer
        self._forecaster = forecaster
        self._versions = versions
        self._full_rows = full_rows
        self._away = ""
        self._retry_s = retry_s

    @property
    def ready(self) -> bool:
        """Whether the pipelines know which versions to ask for."""
        return self._proposer.vocabulary is not None and bool(self._forecaster.version)

    def missing(self) -> Iterator[str]:
        """Yield why answers are degraded now; nothing when they are not.

        The server is asked now and then, so that it is not missed only once somebody needs it.
        """
        if not self.ready:
            yield "the models are not served yet"
        if self._away:
            yield f"the model server does not answer: {self._away}"
        for model in self._server.held_back():
            yield f"{model} is held back until it answers"

    async def follow(self) -> None:
        """Keep the pipelines on versions that are served; never returns.

        Raises:
            ModelMismatch: As ``until_ready``.
        """
        while True:
            await self.until_ready()
            await asyncio.sleep(self._retry_s)
            await self._take_back()

    async def until_ready(self) -> None:
        """Try until the models are there; one that is not keeps the other from nothing.

        Raises:
            ModelMismatch: The server has other models than ours; trying again will not help.
        """
        while True:
            if self._proposer.vocabulary is None:
                await self._try(RECOMMENDER, self._begin_recommender)
            if not self._forecaster.version:
                await self._try(FORECASTER, self._begin_forecaster)
            if self.ready:
                return
            await asyncio.sleep(self._retry_s)

    async def _try(self, spec: ModelSpec, begin: Callable[[], Awaitable[None]]) -> None:
        try:
            await begin()
        except InferenceError as error:
            log.warning(
                "model_not_ready", model=spec.name, reason=str(error), retry_s=self._retry_s
            )

    async def _begin_recommender(self) -> None:
        await self._server.check([RECOMMENDER, VOCABULARY])
        version = await self._version(RECOMMENDER)
        product_ids = await self._server.vocabulary(version)
        items = np.zeros((self._full_rows[RECOMMENDER.name], MAX_ITEMS), np.int64)
        items[:, -1] = 1
        await self._warm_up(RECOMMENDER, version, {"items": items})
        self._proposer.vocabulary = Vocabulary.of(version, product_ids)
        log.info("recommender_ready", version=version, vocabulary_size=len(product_ids))

    async def _begin_forecaster(self) -> None:
        await self._server.check([FORECASTER])
        version = await self._version(FORECASTER)
        n_rows = self._full_rows[FORECASTER.name]
        demand = np.zeros((n_rows, HISTORY_DAYS), np.float32)
        weekday = np.zeros((n_rows, 1), np.int64)
        await self._warm_up(FORECASTER, version, {"demand": demand, "weekday": weekday})
        self._forecaster.version = version
        log.info("forecaster_ready", version=version)

    async def _warm_up(self, spec: ModelSpec, version: str, full: Tensors) -> None:
        """Ask for one row, which must be answered, then for as many as a full request has.

        The second is what a burst begins with, and takes longest the first time. Where it is not
        answered, smaller ones still are.
        """
        one = {name: tensor[:1] for name, tensor in full.items()}
        await self._server.infer(spec, version, one)
        try:
            await self._server.infer(spec, version, full)
        except InferenceError as error:
            log.warning("full_request_not_answered", model=spec.name, reason=str(error))

    async def _take_back(self) -> None:
        """Forget versions that are no longer served.

        A server that does not answer takes none away: it may come back with the same ones.
        """
        vocabulary, forecaster = self._proposer.vocabulary, self._forecaster.version
        try:
            if vocabulary and not await self._server.is_ready(RECOMMENDER, vocabulary.version):
                self._proposer.vocabulary = None
            if forecaster and not await self._server.is_ready(FORECASTER, forecaster):
                self._forecaster.version = ""
        except InferenceError as error:
            self._away = str(error)
            return
        self._away = ""
        if not self.ready:
            log.warning(
                "versions_gone",
                recommender=vocabulary is not None and self._proposer.vocabulary is None,
                forecaster=forecaster != self._forecaster.version,
            )

    async def _version(self, spec: ModelSpec) -> str:
        return self._versions.get(spec.name) or await self._server.newest_version(spec)
