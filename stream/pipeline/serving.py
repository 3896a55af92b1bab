"""Which model versions answer: asked for until they are there, and again when they are gone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
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
from stream.ports import Inference

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


class Serving:
    """Gives the pipelines the versions to ask for, once each has answered a warm-up.

    Without them answers are degraded: a store without its model still has trends.

    Args:
        versions: Pinned by the operator, by model name; empty means the newest.
    """

    def __init__(
        self,
        server: ModelServer,
        proposer: Proposer,
        forecaster: Forecaster,
        *,
        versions: dict[str, str],
        retry_s: float,
    ) -> None:
        self._server = server
        self._proposer = proposer
        self._forecaster = forecaster
        self._versions = versions
        self._retry_s = retry_s

    @property
    def ready(self) -> bool:
        """Whether the pipelines know which versions to ask for."""
        return self._proposer.vocabulary is not None and bool(self._forecaster.version)

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
        items = np.zeros((1, MAX_ITEMS), np.int64)
        items[0, -1] = 1
        await self._server.infer(RECOMMENDER, version, {"items": items})
        self._proposer.vocabulary = Vocabulary.of(version, product_ids)
        log.info("recommender_ready", version=version, vocabulary_size=len(product_ids))

    async def _begin_forecaster(self) -> None:
        await self._server.check([FORECASTER])
        version = await self._version(FORECASTER)
        demand = np.zeros((1, HISTORY_DAYS), np.float32)
        weekday = np.zeros((1, 1), np.int64)
        await self._server.infer(FORECASTER, version, {"demand": demand, "weekday": weekday})
        self._forecaster.version = version
        log.info("forecaster_ready", version=version)

    async def _take_back(self) -> None:
        """Forget versions that are no longer served.

        A server that does not answer takes none away: it may come back with the same ones.
        """
        vocabulary, forecaster = self._proposer.vocabulary, self._forecaster.version
        with contextlib.suppress(InferenceError):
            if vocabulary and not await self._server.is_ready(RECOMMENDER, vocabulary.version):
                self._proposer.vocabulary = None
            if forecaster and not await self._server.is_ready(FORECASTER, forecaster):
                self._forecaster.version = ""
        if not self.ready:
            log.warning(
                "versions_gone",
                recommender=vocabulary is not None and self._proposer.vocabulary is None,
                forecaster=forecaster != self._forecaster.version,
            )

    async def _version(self, spec: ModelSpec) -> str:
        return self._versions.get(spec.name) or await self._server.newest_version(spec)
