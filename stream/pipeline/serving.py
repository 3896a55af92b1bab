"""Which model versions answer: found at start, asked for until they are there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import structlog

from stream.errors import InferenceError
from stream.model_specs import FORECASTER, HISTORY_DAYS, MAX_ITEMS, MODELS, RECOMMENDER, ModelSpec
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

    async def vocabulary(self, version: str) -> tuple[str, ...]:
        """Return the product ids that a recommender version knows, in order of their index."""


class Serving:
    """Gives the pipelines the versions to ask for, once each has answered a warm-up.

    Until then answers are degraded: a store without its model still has trends.

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
        self.ready = False

    async def until_ready(self) -> None:
        """Try until the models are there.

        Raises:
            ModelMismatch: The server has other models than ours; trying again will not help.
        """
        while not self.ready:
            try:
                await self._begin()
            except InferenceError as error:
                log.warning("models_not_ready", reason=str(error), retry_s=self._retry_s)
                await asyncio.sleep(self._retry_s)

    async def _begin(self) -> None:
        await self._server.check(MODELS)
        recommender = await self._version(RECOMMENDER)
        forecaster = await self._version(FORECASTER)
        product_ids = await self._server.vocabulary(recommender)
        await self._warm_up(recommender, forecaster)
        self._proposer.vocabulary = Vocabulary.of(recommender, product_ids)
        self._forecaster.version = forecaster
        self.ready = True
        log.info(
            "models_ready",
            recommender=recommender,
            forecaster=forecaster,
            vocabulary_size=len(product_ids),
        )

    async def _version(self, spec: ModelSpec) -> str:
        return self._versions.get(spec.name) or await self._server.newest_version(spec)

    async def _warm_up(self, recommender: str, forecaster: str) -> None:
        items = np.zeros((1, MAX_ITEMS), np.int64)
        items[0, -1] = 1
        await self._server.infer(RECOMMENDER, recommender, {"items": items})
        demand = np.zeros((1, HISTORY_DAYS), np.float32)
        weekday = np.zeros((1, 1), np.int64)
        await self._server.infer(FORECASTER, forecaster, {"demand": demand, "weekday": weekday})
