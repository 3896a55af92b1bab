"""A Faust consumer that yields fetched chunks and commits what was completed, in fetch order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Any

from faust.transport.consumer import ensure_TP, ensure_TPset
from faust.types import TP, Message, TransportT

from .consumer_app import LAST_COMMIT_S, BatchApp, refuse_plain, refuse_unsafe
from .consumer_books import BooklessConsumer
from .consumer_thread import BatchConsumerThread
from .messages import message_of
from .records import InRecord, RecordBatch, bytes_of

#: How soon to look again while a partition with room may have records that the fetch left out.
_EXCLUDED_POLL_S = 0.02


class BatchConsumer(BooklessConsumer):
    """Faust's aiokafka consumer, with completion in place of acknowledgement.

    A chunk can be dropped on its way to an agent: the flow stops while it is fetched, yielded or
    put (``getmany``, ``_drain_messages``), its queue is cleared, or the stream skips it as of an
    old generation. One rule covers all of these: a chunk is opened in the tracker before anybody
    can drop it, so its offset holds back the commit; and what could have dropped one
    (``stop_flow``, a fetch that nobody waited for) forbids the next fetch until ``perform_seek``
    went back to the committed offsets under a new generation.

    Attributes:
        tracker: What is in flight and what may be committed.
        epochs: Epoch by topic, as ``BatchApp.epochs_of`` told at the last seek.
    """

    app: BatchApp

    def __init__(self, transport: TransportT, *args: Any, **kwargs: Any) -> None:
        refuse_unsafe(transport.app)
        super().__init__(transport, *args, **kwargs)
        self.epochs: dict[str, int] = {}
        self._batching = self.app.batching
        self._progress = asyncio.Event()
        self._position = asyncio.Lock()
        self._fetching: asyncio.Future[Mapping[Any, Sequence[InRecord]]] | None = None
        self._n_drops = 0
        self._n_drops_sought = 0

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def refusal(self) -> BaseException | None:
        """Why the group does not take this consumer in, None while it may."""
        refusal: BaseException | None = self._thread.refusal()
        return refusal

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Subscribe, unless one of the app's topics is not read in batches."""
        refuse_plain(self.app.topics)
        await super().subscribe(topics)

    # -- fetching

    async def getmany(self, timeout: float) -> AsyncGenerator[tuple[TP, Message], None]:  # noqa: ASYNC109  # Faust's
        """Yield one message per fetched chunk, at most one per partition; wait *timeout* at most."""
        if not self.flow_active:
            await self.wait_first(self.can_resume_flow.wait())
            return
        if not self._get_active_partitions():
            await self.sleep(timeout)
            return
        if self._n_drops != self._n_drops_sought:
            await self.perform_seek()
        for batch in await self._fetch(timeout):
            if not self.flow_active or batch.generation != self.tracker.generation:
                return
            tp = TP(batch.topic, batch.partition)
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            yield tp, message_of(batch, self.app.consumer_generation_id)

    async def _fetch(self, patience_s: float) -> list[RecordBatch]:
        active = self._get_active_partitions()
        wanted = self._with_room(active)
        if not wanted:
            await self._wait_for_progress(patience_s)
            return []
        if len(wanted) < len(active):
            patience_s = _EXCLUDED_POLL_S
        return await self._fetch_of(wanted, patience_s)

    async def _fetch_of(self, wanted: set[TP], patience_s: float) -> list[RecordBatch]:
        async with self._position:
            if not self.flow_active or self._n_drops != self._n_drops_sought:
                return []
            generation = self.tracker.generation
            records = await self._records(wanted, patience_s)
            if not records:
                return []
            if not self.flow_active or generation != self.tracker.generation:
                self._n_drops += 1
                return []
            return [batch for tp, chunk in records.items() for batch in self._opened(tp, chunk)]

    def _opened(self, tp: Any, records: Sequence[InRecord]) -> list[RecordBatch]:
        return [self._open(tp, records)]

    def _with_room(self, active: set[TP]) -> set[TP]:
        if self.tracker.bytes_in_flight >= self._batching.max_bytes_in_flight:
            return set()
        limit = self._batching.max_chunk_records * (self._batching.max_chunks - 1)
        return {tp for tp in active if self.tracker.n_held(tp) <= limit}

    async def _records(self, tps: set[TP], patience_s: float) -> Mapping[Any, Sequence[InRecord]]:
        """Fetch without losing count: a fetch whose waiter is cancelled still moves positions."""
        await self._settle()
        self._fetching = asyncio.ensure_future(self._getmany(tps, patience_s))
        try:
            records: Mapping[Any, Sequence[InRecord]] = await asyncio.shield(self._fetching)
        except asyncio.CancelledError:
            self._n_drops += 1
            raise
        self._fetching = None
        return records

    async def _settle(self) -> None:
        if self._fetching is not None:
            await asyncio.wait([self._fetching])
            self._fetching = None

    def _open(self, tp: Any, records: Sequence[InRecord]) -> RecordBatch:
        batch = RecordBatch(
            topic=tp.topic,
            partition=tp.partition,
            records=records,
            generation=self.tracker.generation,
            epoch=self.epochs.get(tp.topic, 0),
            n_bytes=bytes_of(records),
            on_complete=self._on_complete,
        )
        self.tracker.opened(batch)
        return batch

    def _on_complete(self, batch: RecordBatch) -> None:
        self.tracker.complete(batch)
        self._progress.set()

    async def _wait_for_progress(self, patience_s: float) -> None:
        self._progress.clear()
        try:
            async with asyncio.timeout(patience_s):
                await self._progress.wait()
        except TimeoutError:
            return

    # -- positions

    def stop_flow(self) -> None:
        """Stop; whatever is on its way to an agent is dropped and must be sought back to."""
        self._n_drops += 1
        super().stop_flow()

    async def perform_seek(self) -> None:
        """Go back to the committed offsets, under a new generation of the tracker."""
        async with self._position:
            await self._settle()
            n_drops = self._n_drops
            assigned = self.assignment()
            self.epochs = dict(await self.app.epochs_of({tp.topic for tp in assigned}))
            self.tracker.restart(assigned)
            if assigned:
                await self._seek_to_committed()
            self._n_drops_sought = n_drops

    async def _seek_to_committed(self) -> dict[TP, int]:
        """Return where each partition is read from; 0 is from its beginning."""
        committed = await self.seek_to_committed()
        # aiokafka leaves the position where it is when nothing, or 0, is committed.
        unread = [tp for tp, offset in committed.items() if not offset]
        if unread:
            await self._thread.seek_to_beginning(*unread)
        self._committed_offset.update({ensure_TP(tp): at or None for tp, at in committed.items()})
        return {ensure_TP(tp): at or 0 for tp, at in committed.items()}

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Stop the flow, drain and commit (Faust does so unless it is stopping), then let go."""
        if self.app.should_stop:
            await self.wait_empty()
        await super().on_partitions_revoked(revoked)
        self.tracker.revoke(ensure_TPset(revoked))

    # -- committing

    def committed_offsets(self) -> dict[TP, int]:
        """Next offset to read of each partition, as the broker confirmed it; absent while none."""
        return {tp: offset for tp, offset in self._committed_offset.items() if offset is not None}

    async def wait_empty(self) -> None:
        """Wait for the batches that agents took, then commit; both within their deadlines.

        What is not completed by then is read again, by this worker or another.
        """
        drained = await self._drain()
        try:
            async with asyncio.timeout(LAST_COMMIT_S):
                await self.commit_and_end_transactions()
        except TimeoutError:
            self.log.exception("last_commit_timed_out offsets=%r", self.tracker.committable())
        if not drained:
            self.tracker.restart(())

    async def _drain(self) -> bool:
        if self.app.vigil is not None and self.app.vigil.refuses:
            return False  # what is open waits for writes that will not be
        try:
            async with asyncio.timeout(self._batching.drain_timeout_s):
                while self.tracker.n_begun:
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            self.log.warning("drain_timed_out n_begun=%d", self.tracker.n_begun)
            return False
        return True

    async def commit_and_end_transactions(self) -> None:
        """Commit all that is completed now, also when another commit is under way."""
        while await self.maybe_wait_for_commit_to_finish():
            pass
        await self.commit()

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit the completed prefixes; only the broker's yes moves what counts as committed."""
        offsets = {
            tp: offset
            for tp, offset in self.tracker.committable().items()
            if topics is None or tp in topics or tp.topic in topics
        }
        if not offsets:
            return False
        generation = self.tracker.generation
        sensed = self.app.sensors.on_commit_initiated(self)
        confirmed: bool = await self._commit(offsets)
        self.app.sensors.on_commit_completed(self, sensed)
        if confirmed and generation == self.tracker.generation:
            self.tracker.committed(offsets)
            self._committed_offset.update(offsets)
            self.app.monitor.on_tp_commit(offsets)
        return confirmed
