"""Noticing that topics were changed while they are read: more partitions, or another topic."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

import structlog

from stream.errors import TopicMismatch, TopicRecreated

from .administration import TIMEOUT_S, Life, topic_lives
from .epochs import epoch_of

log = structlog.get_logger(__name__)

#: A worker that ends waits for the look that is under way.
_LOOK_S = 5.0


class TopicWatch:
    """Compares topics with what they must be, and with what they were when this worker came.

    Args:
        partitions: How many each topic must have.
        read: Topics that state is made from, or read into: the worker cannot go on with another of
            that name.
        written: Topics that are only appended to: it can, and says so.
    """

    def __init__(
        self,
        bootstrap: Sequence[str],
        *,
        partitions: int,
        read: Collection[str],
        written: Collection[str],
        security: Mapping[str, object] | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._partitions = partitions
        self._names = [*read, *written]
        self._written = frozenset(written)
        self._security = security
        self._epochs: dict[str, int] = {}
        self._missed: frozenset[str] = frozenset()

    async def begin(self) -> None:
        """Take note of the topics as they are now.

        Raises:
            TopicMismatch: One is not there, or has other than the wanted partitions.
            Misconfigured: No broker answers.
        """
        lives = await self._ask(TIMEOUT_S)
        self._refuse_counts(lives)
        self._epochs = {name: epoch_of(life.topic_id) for name, life in lives.items()}

    async def look(self, read_under: Mapping[str, int]) -> None:
        """Return while nothing changed; *read_under* are the epochs that records now bear.

        Raises:
            TopicMismatch: A topic has other partitions than before, or is gone: the keys of its
                records are in other places from now on.
            TopicRecreated: One that is read is another topic by now.
            Misconfigured: No broker answers; that says nothing of the topics.
        """
        lives = await self._ask(_LOOK_S)
        missing = frozenset(name for name, life in lives.items() if not life.partitions)
        # A broker that has just started may not know all topics yet: it is asked once more.
        new, self._missed = missing - self._missed, missing
        self._refuse_counts({name: life for name, life in lives.items() if name not in new})
        for name in lives.keys() - missing:
            self._compare(name, epoch_of(lives[name].topic_id), read_under)

    async def _ask(self, timeout_s: float) -> dict[str, Life]:
        return await asyncio.to_thread(
            topic_lives,
            self._bootstrap,
            self._names,
            security=self._security,
            timeout_s=timeout_s,
        )

    def _refuse_counts(self, lives: Mapping[str, Life]) -> None:
        wrong = {
            n: life.partitions for n, life in lives.items() if life.partitions != self._partitions
        }
        if wrong:
            found = ", ".join(
                f"{name} has {n}" if n else f"{name} is not there"
                for name, n in sorted(wrong.items())
            )
            raise TopicMismatch(
                f"expected {self._partitions} partitions of every topic (setting partitions), "
                f"but {found}; see `storestream topics check`"
            )

    def _compare(self, name: str, epoch: int, read_under: Mapping[str, int]) -> None:
        before = read_under.get(name, self._epochs.setdefault(name, epoch))
        if epoch in {before, 0}:
            return
        if name not in self._written:
            raise TopicRecreated(
                f"{name} was deleted and created again (epoch {epoch}, was {before}): what is "
                "read under the old one would be taken for repeats, or passed over"
            )
        log.error("topic_created_again", topic=name, consequence="what it had is gone")
        self._epochs[name] = epoch
