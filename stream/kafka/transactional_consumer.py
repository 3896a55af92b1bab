"""A consumer whose commits are transactions: offsets, outputs and state together, or none."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection
from typing import Any

from faust.types import TP

from stream.errors import PartitionRevoked, PublishFailed

from .consumer import BatchConsumer
from .epoch_consumer import marked
from .records import RecordBatch
from .transactions import Unit


class TransactionalConsumer(BatchConsumer):
    """Commits each unit as soon as nothing of it is open, where the app has ``transactions``.

    A unit with something to commit is not fetched: what its next records cause must not be part of
    this transaction, nor miss the one that commits them. Chunks grow meanwhile, so a slow commit
    makes larger transactions, not fewer records a second.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: Fetched and not opened yet: what these cause may be there before they are.
        self._unopened: Collection[TP] = ()
        self._commits: set[asyncio.Task[bool]] = set()
        self._one_at_a_time: defaultdict[Unit, asyncio.Lock] = defaultdict(asyncio.Lock)

    # -- fetching

    def _with_room(self, active: set[TP]) -> set[TP]:
        wanted, transactions = super()._with_room(active), self.app.transactions
        if transactions is None:
            return wanted
        busy = {transactions.unit_of(tp) for tp in self.tracker.uncommitted()}
        return {tp for tp in wanted if transactions.unit_of(tp) not in busy}

    async def _fetch_of(self, wanted: set[TP], patience_s: float) -> list[RecordBatch]:
        try:
            return await super()._fetch_of(wanted, patience_s)
        finally:
            self._unopened = ()

    def _on_complete(self, batch: RecordBatch) -> None:
        super()._on_complete(batch)
        if self.app.transactions is None:
            return
        unit = self.app.transactions.unit_of(TP(batch.topic, batch.partition))
        tps = self._of(unit)
        if not any(map(self.tracker.n_held, tps)):
            task = asyncio.ensure_future(self.force_commit(topics=tps))
            self._commits.add(task)
            task.add_done_callback(self._commits.discard)

    # -- positions

    async def perform_seek(self) -> None:
        """Seek as ever, but leave nothing behind that could be committed and is read again."""
        if self.app.transactions is not None:
            # What waits for its agent is read again, and must not be begun meanwhile.
            self.tracker.close()
            await self._drain()
            await self.force_commit()
            if self.tracker.is_half_done(self.tracker.assigned):
                error = "exactly once, what is half done cannot be read again; the worker must end"
                self.app.transactions.on_failure(PublishFailed(error))
                return
        await super().perform_seek()

    async def wait_empty(self) -> None:
        """Drain and commit as ever; after a drain that timed out nothing more can be committed.

        What it did not wait for still has effects, and their offsets are tracked no longer.
        """
        await super().wait_empty()
        if self.app.transactions is not None and not self.tracker.assigned:
            self.app.transactions.disown()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Drain and commit as ever; what is not committed by then, its next owner reads again."""
        await super().on_partitions_revoked(revoked)
        for task in self._commits:
            task.cancel()

    # -- committing

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit every unit of which nothing is half done; True where one had something."""
        transactions = self.app.transactions
        if transactions is None:
            return await super().force_commit(topics, start_new_transaction)
        assigned = self.tracker.assigned
        wanted = [tp for tp in assigned if topics is None or tp in topics or tp.topic in topics]
        units = {transactions.unit_of(tp) for tp in wanted}
        return any(await asyncio.gather(*(self._commit_unit(unit) for unit in units)))

    async def _commit_unit(self, unit: Unit) -> bool:
        async with self._one_at_a_time[unit]:
            tps, tracker = self._of(unit), self.tracker
            if tracker.is_half_done(tps) or not tps.isdisjoint(self._unopened):
                return False
            offsets = {tp: at for tp, at in tracker.committable().items() if tp in tps}
            generation = tracker.generation
            if not await self._committed_now(unit, offsets):
                return False
            if generation == tracker.generation:
                tracker.committed(offsets)
                self._committed_offset.update(offsets)
                self.app.monitor.on_tp_commit(offsets)
            self._progress.set()
            return True

    async def _committed_now(self, unit: Unit, offsets: dict[TP, int]) -> bool:
        transactions = self.app.transactions
        if transactions is None or (not offsets and transactions.is_settled(unit)):
            return False
        try:
            await transactions.commit(
                unit, {tp: self._marked(tp, at) for tp, at in offsets.items()}
            )
        except PartitionRevoked:
            return False
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing more can be committed
            transactions.on_failure(error)
            return False
        return True

    def _marked(self, tp: TP, offset: int) -> Any:
        epoch = self.epochs.get(tp.topic, 0)
        return marked(offset, epoch) if epoch else offset

    def _of(self, unit: Unit) -> set[TP]:
        transactions = self.app.transactions
        if transactions is None:
            return set()
        return {tp for tp in self.tracker.assigned if transactions.unit_of(tp) == unit}
