"""Which offsets of an assignment may be committed. Pure: no I/O, no framework, a clock passed in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from faust.types import TP

from stream.errors import TopicRecreated

from .records import RecordBatch


@dataclass(slots=True)
class _Chunk:
    """What is remembered of an open batch; its records are not, so that they can be freed."""

    last_offset: int
    n_records: int
    n_bytes: int
    opened_at: float
    begun: bool = False
    done: bool = False


@dataclass(slots=True)
class _Partition:
    """Chunks from the first one not yet part of the completed prefix on, in fetch order."""

    chunks: dict[int, _Chunk] = field(default_factory=dict)
    n_records: int = 0
    last_offset: int = -1
    next_offset: int | None = None
    confirmed: int | None = None

    def advance(self) -> None:
        while self.chunks:
            first_offset = next(iter(self.chunks))
            chunk = self.chunks[first_offset]
            if not chunk.done:
                return
            del self.chunks[first_offset]
            self.n_records -= chunk.n_records
            self.next_offset = chunk.last_offset + 1


class OffsetTracker:
    """Tracks batches from fetch to commit, per partition, and commits only a contiguous prefix.

    Faust's own bookkeeping commits past a chunk in flight when later ones complete, or when offsets
    have a gap (faust-streaming 0.15.3, ``Consumer._new_offset`` and ``_add_gap``; issue #606). Here
    order is that of fetching, never of arithmetic on offsets, so a gap means nothing.

    Attributes:
        generation: Ordinal of the assignment; completions of an earlier one are ignored.
        in_flight: Batches opened and not completed, over all partitions.
        bytes_in_flight: The bytes of those.
        n_completed: Batches completed so far, of every generation.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.generation = 0
        self.n_completed = 0
        self.in_flight = 0
        self.bytes_in_flight = 0
        self._clock = clock
        self._closed = False
        self._partitions: dict[TP, _Partition] = {}

    def restart(self, assigned: Iterable[TP]) -> int:
        """Forget everything, as after a seek to the committed offsets; return the new generation."""
        self.generation += 1
        self._closed = False
        self.in_flight = self.bytes_in_flight = 0
        self._partitions = {TP(*tp): _Partition() for tp in assigned}
        return self.generation

    def revoke(self, tps: Iterable[TP]) -> None:
        """Forget *tps*: another worker reads them on from their committed offsets."""
        for tp in tps:
            partition = self._partitions.pop(tp, None)
            for chunk in partition.chunks.values() if partition else ():
                if not chunk.done:
                    self._close(chunk)

    def opened(self, batch: RecordBatch) -> None:
        """Start tracking a fetched batch; batches of a partition come in fetch order.

        Raises:
            ValueError: It is of another generation, or of a partition not assigned.
            TopicRecreated: It is behind one already opened. The client goes back by itself where
                its offset is no longer there; what is read then would be taken for repeats.
        """
        partition = self._partitions.get(TP(batch.topic, batch.partition))
        if partition is None or batch.generation != self.generation:
            raise ValueError(f"{_place(batch)}: fetched outside generation {self.generation}")
        if batch.first_offset <= partition.last_offset:
            raise TopicRecreated(
                f"{_place(batch)}: expected an offset above {partition.last_offset}; the topic was "
                "created again, or cut short"
            )
        n_records = len(batch.records)
        partition.chunks[batch.first_offset] = _Chunk(
            batch.last_offset, n_records, batch.n_bytes, self._clock()
        )
        partition.n_records += n_records
        partition.last_offset = batch.last_offset
        self.in_flight += 1
        self.bytes_in_flight += batch.n_bytes

    def begin(self, batch: RecordBatch) -> bool:
        """Say that an agent took *batch*: from now on a drain waits for it.

        Returns:
            Whether it may go on; False where the records are, or will be, read again.
        """
        chunk = self._find(batch)
        if chunk is None or (self._closed and not chunk.begun):
            return False
        chunk.begun = True
        return True

    def close(self) -> None:
        """Let no more batches be begun before the next ``restart``."""
        self._closed = True

    def complete(self, batch: RecordBatch) -> None:
        """Say that everything *batch* caused is confirmed; ignored when it is not tracked any more."""
        chunk = self._find(batch)
        if chunk is None or chunk.done:
            return
        chunk.done = True
        self.n_completed += 1
        self._close(chunk)
        self._partitions[TP(batch.topic, batch.partition)].advance()

    def committable(self) -> dict[TP, int]:
        """The next offset to read of each partition whose completed prefix is not yet committed."""
        return {
            tp: partition.next_offset
            for tp, partition in self._partitions.items()
            if partition.next_offset is not None and partition.next_offset != partition.confirmed
        }

    def committed(self, offsets: Mapping[TP, int]) -> None:
        """Remember what the broker confirmed; call it for nothing else."""
        for tp, offset in offsets.items():
            if tp in self._partitions:
                self._partitions[tp].confirmed = offset

    def n_held(self, tp: TP) -> int:
        """Records of *tp* that a crash now would read again: from its oldest open batch on."""
        partition = self._partitions.get(tp)
        return partition.n_records if partition else 0

    @property
    def assigned(self) -> frozenset[TP]:
        """The partitions of this generation."""
        return frozenset(self._partitions)

    def uncommitted(self) -> set[TP]:
        """Return the partitions with a batch that is open, or completed and not committed."""
        return {tp for tp in self._partitions if self.n_held(tp)} | self.committable().keys()

    @property
    def n_begun(self) -> int:
        """Batches an agent took and did not complete: those that a drain waits for."""
        return sum(chunk.begun and not chunk.done for chunk in self._chunks(self._partitions))

    def is_half_done(self, tps: Iterable[TP]) -> bool:
        """Whether a batch of *tps* had effects and its offset cannot be committed.

        An agent took it and did not complete it, or it is complete behind one that is not.
        """
        return any(chunk.begun or chunk.done for chunk in self._chunks(tps))

    def _chunks(self, tps: Iterable[TP]) -> Iterator[_Chunk]:
        return (chunk for tp in tps for chunk in self._partitions[tp].chunks.values())

    def oldest_open_s(self) -> float:
        """Age in seconds of the oldest batch not completed; 0 without any."""
        now = self._clock()
        heads = (next(iter(p.chunks.values())) for p in self._partitions.values() if p.chunks)
        return max((now - head.opened_at for head in heads), default=0.0)

    def _find(self, batch: RecordBatch) -> _Chunk | None:
        partition = self._partitions.get(TP(batch.topic, batch.partition))
        if partition is None or batch.generation != self.generation:
            return None
        return partition.chunks.get(batch.first_offset)

    def _close(self, chunk: _Chunk) -> None:
        self.in_flight -= 1
        self.bytes_in_flight -= chunk.n_bytes


def _place(batch: RecordBatch) -> str:
    return f"{batch.topic}[{batch.partition}]@{batch.first_offset}"
