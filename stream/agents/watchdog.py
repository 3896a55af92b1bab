"""Noticing that work stands still: its age says nothing, a long queue is old and moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable, Mapping

from aiokafka.errors import IllegalStateError
from faust.types import TP

from stream.errors import NotAdmitted, StoreStreamError
from stream.kafka.consumer import BatchConsumer

_POSITION_S = 5.0
#: One batch may be open for so many limits while others complete.
_PATIENCE_WITH_ONE = 10


class Stalled(StoreStreamError):
    """Nothing moved although there was work: the worker ends so that it is started anew."""


class Watchdog:
    """Measures how long nothing moved although there was something to do.

    Attributes:
        silent_s: That time, as of the last look.
    """

    def __init__(self, limit_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Bark after *limit_s* without progress."""
        self.silent_s = 0.0
        self._limit_s = limit_s
        self._clock = clock
        self._progress: Hashable = None
        self._since_s = clock()

    def look(self, progress: Hashable, *, busy: bool) -> None:
        """Take note of *progress*, whatever changes when work moves, and of whether there is any."""
        now_s = self._clock()
        if not busy or progress != self._progress:
            self._progress, self._since_s = progress, now_s
        self.silent_s = now_s - self._since_s

    def rest(self) -> None:
        """Forget the silence: there was nothing to do after all."""
        self._since_s, self.silent_s = self._clock(), 0.0

    def complaint(self, oldest_open_s: float) -> str | None:
        """Return what is wrong, None while nothing is."""
        if self.silent_s > self._limit_s:
            return f"no progress for {self.silent_s:.0f} s of {self._limit_s:g} s"
        if oldest_open_s > self._limit_s * _PATIENCE_WITH_ONE:
            return f"a record batch is open for {oldest_open_s:.0f} s, while others complete"
        return None


def progress_of(consumer: BatchConsumer) -> Hashable:
    """Return what changes with each batch that is completed or committed, and each assignment."""
    tracker = consumer.tracker
    committed = frozenset(consumer.committed_offsets().items())
    return tracker.generation, tracker.n_completed, committed


def behind(consumer: BatchConsumer, told: Mapping[TP, int]) -> set[TP]:
    """Return the partitions with records that are not committed, or that no fetch ever told of.

    Args:
        consumer: Knows of an end what its last fetch brought; one that fetches no more is behind
            without knowing it.
        told: Ends that the broker told somebody else.
    """
    committed = consumer.committed_offsets()
    ends = {tp: _end_of(consumer, tp, told) for tp in consumer.assignment()}
    return {tp for tp, end in ends.items() if end is None or end > committed.get(tp, 0)}


async def has_read_all(consumer: BatchConsumer, told: Mapping[TP, int]) -> bool:
    """Whether nothing is left to fetch: commit markers and expired records are no work.

    An offset that the group committed stays below them, and below the high watermark, for ever.
    """
    try:
        async with asyncio.timeout(_POSITION_S):
            return all([await _is_read_up(consumer, tp, told) for tp in behind(consumer, told)])
    except TimeoutError:
        return False


async def _is_read_up(consumer: BatchConsumer, tp: TP, told: Mapping[TP, int]) -> bool:
    try:
        end, position = _end_of(consumer, tp, told), await consumer.position(tp)
    except IllegalStateError:
        return True  # revoked while it was asked for: another worker's to read
    return end is not None and position is not None and position >= end


def _end_of(consumer: BatchConsumer, tp: TP, told: Mapping[TP, int]) -> int | None:
    end = consumer.highwater(tp)
    return None if end is None else max(end, told.get(tp, 0))


def refusal_of(consumer: BatchConsumer) -> NotAdmitted | None:
    """Return why the group does not take *consumer* in, None while it may."""
    refusal = consumer.refusal()
    if refusal is None:
        return None
    return NotAdmitted(
        f"the consumer group does not take this worker in: {refusal!r}; look at "
        "broker_session_timeout_s, which the broker bounds by group.(min|max).session.timeout.ms, "
        "and at this worker's rights to the group"
    )
