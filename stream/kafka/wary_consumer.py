"""A consumer that reads with care where the owner before it died."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any

from aiokafka.errors import IllegalStateError
from faust.types import TP

from stream.errors import PartitionRevoked

from .probation import Probation
from .records import InRecord, RecordBatch
from .transactional_consumer import TransactionalConsumer

#: How long one suspicious partition is waited for before another gets its turn.
_TURN_S = 0.1
#: A rebalance or a stop waits so long until notes are taken back; they are few and small.
_TAKE_BACK_S = 0.5


class WaryConsumer(TransactionalConsumer):
    """Notes what is begun before it is handed out, and sets aside what must not be.

    While a partition is under suspicion nothing is in flight but one small chunk of it: if the
    worker dies then, it died of that. The chunk before is committed, and the chunk itself noted,
    before an agent sees it. Innocent partitions so clear themselves, one after the other; what
    nobody suspects waits for them, which takes seconds.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._max_records: int | None = None

    # -- fetching

    async def _fetch(self, patience_s: float) -> list[RecordBatch]:
        probation = self.app.probation
        if probation is not None and probation.suspects:
            if await self._has_committed_all(patience_s):
                return await self._fetch_little(probation, patience_s)
            return []
        return await super()._fetch(patience_s)

    async def _has_committed_all(self, patience_s: float) -> bool:
        """Commit once nothing is in flight; False while something is, or the broker refuses."""
        if not self.tracker.in_flight:
            await self.commit_and_end_transactions()
        if self.tracker.in_flight or self.tracker.committable():
            await self._wait_for_progress(patience_s)
            return False
        return True

    async def _fetch_little(self, probation: Probation, patience_s: float) -> list[RecordBatch]:
        """Fetch a small chunk of the first suspect that has one; one with nothing left is cleared."""
        suspects = probation.suspects
        for tp in probation.turns(self._get_active_partitions()):
            if tp not in suspects:
                return []
            self._max_records = suspects[tp].max_records
            try:
                batches = await self._fetch_of({tp}, min(patience_s, _TURN_S))
            finally:
                self._max_records = None
            if batches or tp not in suspects or not self.flow_active:
                return batches
            if not self.tracker.committable() and await self._is_read_up(tp):
                probation.clear(tp)
                return []
        return []

    async def _is_read_up(self, tp: TP) -> bool:
        try:
            end, position = self.highwater(tp), await self.position(tp)
        except IllegalStateError:
            return False  # another worker's by now
        return end is not None and position is not None and position >= end

    async def _getmany(self, active_partitions: set[TP], timeout: float) -> Any:  # noqa: ASYNC109  # Faust's
        if self._max_records is None:
            return await super()._getmany(active_partitions, timeout)
        return await self._thread.getsome(active_partitions, timeout, max_records=self._max_records)

    async def _records(self, tps: set[TP], patience_s: float) -> Mapping[Any, Sequence[InRecord]]:
        records = await super()._records(tps, patience_s)
        if self.app.probation is None or not records or not self.flow_active:
            return records
        fetched = {TP(*tp): chunk for tp, chunk in records.items()}
        self._unopened, generation = fetched.keys(), self.tracker.generation
        try:
            await self.app.probation.begin(fetched)
            if not self.flow_active or generation != self.tracker.generation:
                # Dropped, and read again: a dead letter of it would be written twice.
                return records
            await self.app.probation.set_aside(fetched)
        except BaseException as error:
            # Whatever it is, the fetch has moved the positions, and nobody gets its records.
            self._n_drops += 1
            if isinstance(error, PartitionRevoked):
                return {}
            raise
        return records

    def _opened(self, tp: Any, records: Sequence[InRecord]) -> list[RecordBatch]:
        """Open what is set aside as batches of their own, which are complete by now."""
        condemned = self.app.probation.condemned(TP(*tp)) if self.app.probation else {}
        if not condemned:
            return super()._opened(tp, records)
        batches = []
        for is_condemned, run in groupby(records, key=lambda record: record.offset in condemned):
            batch = self._open(tp, list(run))
            if is_condemned:
                batch.complete()
            else:
                batches.append(batch)
        return batches

    # -- positions

    async def _seek_to_committed(self) -> dict[TP, int]:
        committed = await super()._seek_to_committed()
        if self.app.probation is not None:
            # Revoked meanwhile: whoever owns them next seeks again.
            with suppress(PartitionRevoked):
                await self.app.probation.adopt(committed, self.epochs)
        return committed

    async def force_commit(self, *args: Any, **kwargs: Any) -> bool:
        """Commit as ever; what the broker confirmed is under suspicion no longer."""
        confirmed: bool = await super().force_commit(*args, **kwargs)
        if confirmed and self.app.probation is not None:
            self.app.probation.moved(self.committed_offsets())
        return confirmed

    async def wait_empty(self) -> None:
        """Drain and commit, then take back the notes on what was begun and cannot be blamed."""
        await super().wait_empty()
        if self.app.probation is not None:
            await self.app.probation.release(_TAKE_BACK_S)
