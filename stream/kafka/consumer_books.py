"""A Faust consumer whose own books of offsets stay empty: a tracker keeps them instead."""

from __future__ import annotations

import asyncio
from typing import Any

import faust
from faust.transport.drivers.aiokafka import Consumer
from faust.types import TP, EventT, Message, StreamT

from .records import RecordBatch
from .tracker import OffsetTracker


class _NothingRead(dict[TP, "int | None"]):
    """Faust's read offsets, left empty: it would drop what is read again after a seek."""

    def __missing__(self, tp: TP) -> None:
        return None

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        return None

    def update(self, *args: Any, **kwargs: Any) -> None:
        return None


class _Taken(faust.Sensor):  # type: ignore[misc]  # mypy does not follow Faust
    """Tells the tracker which batches a stream handed out, and did not skip or clear."""

    def __init__(self, tracker: OffsetTracker) -> None:
        super().__init__()
        self._tracker = tracker

    def on_stream_event_in(
        self, tp: TP, offset: int, stream: StreamT[Any], event: EventT[Any]
    ) -> None:
        if isinstance(event.value, RecordBatch):
            self._tracker.begin(event.value)


class BooklessConsumer(Consumer):  # type: ignore[misc]  # mypy does not follow Faust
    """Leaves out what Faust derives from acknowledged messages and from offsets it has read.

    Attributes:
        tracker: What is in flight and what may be committed.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tracker = OffsetTracker()
        self._read_offset = _NothingRead()
        self.app.sensors.add(_Taken(self.tracker))

    def on_buffer_full(self, tp: TP) -> None:
        """Do nothing: the tracker bounds what is buffered."""

    def on_buffer_drop(self, tp: TP) -> None:
        """Do nothing: the tracker bounds what is buffered."""

    def ack(self, message: Message) -> bool:
        """Let go of the message; offsets are committed when their batch is completed."""
        message.acked = True
        self._unacked_messages.discard(message)
        return False

    async def maybe_wait_for_commit_to_finish(self) -> bool:
        """Wait for the commit under way; True where there was one, and nobody cancelled it.

        Faust's awaits its future: whoever is cancelled meanwhile cancels that, never hears of it,
        and commits on without the deadline that it had.
        """
        under_way = self._commit_fut
        if under_way is None:
            return False
        await asyncio.wait([under_way])
        return not under_way.cancelled()

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: a gap in offsets says nothing about what is completed."""

    async def verify_all_partitions_active(self) -> None:
        """Say loudly that a batch is stuck; Faust's own detector reads books that are empty here."""
        age_s = self.tracker.oldest_open_s()
        if age_s >= self.commit_livelock_soft_timeout:
            self.log.error("batch_stuck age_s=%.0f in_flight=%d", age_s, self.tracker.in_flight)
