"""Whether what is in use is still there, and the same; and that it is asked, so that it stays."""

from __future__ import annotations

import asyncio

import structlog

from stream.errors import InferenceError
from stream.model_specs import FORECASTER, RECOMMENDER, VOCABULARY
from stream.pipeline.forecasts import Forecaster
from stream.pipeline.proposals import Proposer
from stream.pipeline.scoring import Vocabulary
from stream.pipeline.warming import ModelServer

log = structlog.get_logger(__name__)


class Presence:
    """Takes from the pipelines what the server no longer has.

    A server that does not answer takes none away: it may come back with the same versions. It may
    also come back with others of the same number, so their vocabularies are then read again.

    Attributes:
        away: Why the server did not answer when it was asked last; empty where it did.
    """

    def __init__(self, server: ModelServer, proposer: Proposer, forecaster: Forecaster) -> None:
        self._server = server
        self._proposer = proposer
        self._forecaster = forecaster
        self.away = ""

    async def look(self) -> None:
        """Forget versions that are no longer served, or are others by now."""
        lineup, forecaster = self._proposer.lineup, self._forecaster.version
        try:
            gone = [each for each in lineup.vocabularies() if not await self._is_there(each)]
            no_forecaster = forecaster and not await self._server.is_ready(FORECASTER, forecaster)
        except InferenceError as error:
            self.away = str(error)
            return
        self.away = ""
        if gone:
            self._proposer.lineup = self._proposer.lineup.without(gone)
        if no_forecaster:
            self._forecaster.version = ""
        if gone or no_forecaster:
            versions = [each.version for each in gone]
            log.warning("versions_gone", recommender=versions, forecaster=bool(no_forecaster))

    async def touch(self) -> None:
        """Ask each version in use, visitors or not: one that nobody asks is unloaded.

        The recommender is asked by its vocabulary, so that no row of a visitor waits for it.
        """
        in_use = [(VOCABULARY, each.version) for each in self._proposer.lineup.vocabularies()]
        if self._forecaster.version:
            in_use.append((FORECASTER, self._forecaster.version))
        touches = (self._server.touch(*each) for each in in_use)
        for outcome in await asyncio.gather(*touches, return_exceptions=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, InferenceError):
                raise outcome

    async def _is_there(self, vocabulary: Vocabulary) -> bool:
        if not await self._server.is_ready(RECOMMENDER, vocabulary.version):
            return False
        if not self.away:
            return True
        return await self._server.vocabulary(vocabulary.version) == vocabulary.product_ids
