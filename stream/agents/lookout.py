"""Asking the broker what no fetch tells: whether topics are the same, and how far they go."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog
from faust.types import TP

from stream.adapters.security import client_options
from stream.agents.parts import Parts
from stream.errors import Misconfigured, TopicMismatch
from stream.kafka.consumer import BatchConsumer
from stream.kafka.ends import end_offsets

log = structlog.get_logger(__name__)

#: Until a topic that was changed is noticed; a look costs 6 ms and a connection.
_LOOK_S = 5.0


class Lookout:
    """Looks every few seconds, and at each assignment.

    Attributes:
        ends: Of the assigned partitions, as of the last look.
    """

    def __init__(self, parts: Parts) -> None:
        self.ends: dict[TP, int] = {}
        self._parts = parts

    async def keep(self, consumer: BatchConsumer) -> None:
        """Look until cancelled; raises as ``look``."""
        while True:
            await asyncio.sleep(_LOOK_S)
            await self.look(consumer)
            await self._ask_for_ends(consumer)

    async def look(self, consumer: BatchConsumer) -> None:
        """Return while the topics are those that *consumer* reads, or nobody can tell.

        Raises:
            TopicMismatch: One has other partitions than before, or is gone.
            TopicRecreated: One is another by now.
        """
        try:
            await self._parts.topics.look(consumer.epochs)
        except TopicMismatch:
            raise
        except Misconfigured as error:
            # The broker is away: who reads or writes will say so, and for how long is theirs.
            log.warning("topics_not_looked_at", reason=str(error))

    async def _ask_for_ends(self, consumer: BatchConsumer) -> None:
        """Let somebody else than the consumer say how far it is behind."""
        settings = self._parts.settings
        with suppress(Misconfigured):
            self.ends = await end_offsets(
                settings.bootstrap, consumer.assignment(), security=client_options(settings)
            )
