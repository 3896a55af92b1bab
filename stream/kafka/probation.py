"""The notes of what this worker owns: read at an assignment, written before records are begun.

Written is one note a partition and assignment, before its first chunk; while a partition is under
suspicion one for each of its small chunks. Nothing is done for an event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import structlog
from faust.types import TP
from msgspec.structs import replace

from stream.errors import PartitionRevoked, PublishFailed

from .notes import Begun, Note, SetAside, begun_key, is_set_aside_key, set_aside_key
from .records import InRecord
from .store import StateStore
from .suspicion import Suspicion, is_culprit, suspicion_of

log = structlog.get_logger(__name__)


class Disposal(Protocol):
    """Publishes the dead letter of a record, and returns when it is confirmed."""

    async def __call__(
        self, topic: str, partition: int, record: InRecord, *, verdict: SetAside
    ) -> None: ...


class Probation:
    """Knows which partitions are suspicious, and which of their records are set aside.

    Args:
        notes: Recovered for what is assigned, before :meth:`adopt`.
        quarantine_after: So many workers end at a record before it is set aside; 0: never, and
            then nothing is written.
        max_in_flight: Records of a partition that may be in flight.
        dispose: Given what is set aside.

    Attributes:
        suspects: Partitions to read with care, whatever else waits.
        blamed: Whether the records in flight are the reason that this worker ends.
    """

    def __init__(
        self,
        notes: StateStore[Note],
        *,
        quarantine_after: int,
        max_in_flight: int,
        dispose: Disposal,
    ) -> None:
        self.suspects: dict[TP, Suspicion] = {}
        self.blamed = False
        self._notes = notes
        self._quarantine_after = quarantine_after
        self._max_in_flight = max_in_flight
        self._dispose = dispose
        self._committed: dict[TP, int] = {}
        self._epochs: Mapping[str, int] = {}
        self._condemned: dict[TP, dict[int, SetAside]] = {}
        #: What was known of a partition when it came, for when it goes without a crash.
        self._found: dict[TP, Begun | None] = {}
        self._written: dict[TP, Begun] = {}

    def forget(self) -> None:
        """Know nothing: of what is assigned from now on the notes are read anew."""
        for known in (self.suspects, self._committed, self._condemned, self._found, self._written):
            known.clear()

    async def adopt(self, committed: Mapping[TP, int], epochs: Mapping[str, int]) -> None:
        """Read the notes of partitions that are new here; *committed* is where each is read from.

        Raises:
            PartitionRevoked: They are no longer ours.
            PublishFailed: A verdict could not be written down.
        """
        self._epochs = epochs
        self._committed.update(committed)
        new = committed.keys() - self._found.keys()
        for tp in new:
            self._read(tp)
        self._tell(self.suspects.keys() & new)
        await self._flush(committed)

    def moved(self, committed: Mapping[TP, int]) -> None:
        """Hear what the broker confirmed: behind that, nothing is suspicious or to be set aside."""
        for tp in self._found.keys() & committed.keys():
            self._committed[tp] = committed[tp]
            suspicion = self.suspects.get(tp)
            if suspicion is not None and committed[tp] >= suspicion.until:
                self.clear(tp)
            for offset in [at for at in self._condemned.get(tp, ()) if at < committed[tp]]:
                del self._condemned[tp][offset]

    def turns(self, tps: Iterable[TP]) -> list[TP]:
        """Return the suspects among *tps*, the least suspicious first: innocents get on."""
        suspects = self.suspects.keys() & tps
        return sorted(suspects, key=lambda tp: (self.suspects[tp].n_crashes, tp))

    def clear(self, tp: TP) -> None:
        """Suspect *tp* no longer; what is begun next is noted again."""
        self.suspects.pop(tp, None)
        self._written.pop(tp, None)
        log.info("suspicion_cleared", topic=tp.topic, partition=tp.partition)

    def condemned(self, tp: TP) -> Mapping[int, SetAside]:
        """What to set aside of *tp*, by offset; nearly always nothing."""
        return self._condemned.get(tp, {})

    async def begin(self, fetched: Mapping[TP, Sequence[InRecord]]) -> None:
        """Return when *fetched* is noted, and :meth:`set_aside` and an agent may have it.

        Raises:
            PartitionRevoked: The partition is no longer ours.
            PublishFailed: A note was not confirmed.
        """
        if not self._found.keys() >= fetched.keys():
            # Fetched before a rebalance, arrived after it.
            raise PartitionRevoked(f"{sorted(fetched)}: fetched under an earlier assignment")
        unnoted = [tp for tp in fetched if tp in self.suspects or tp not in self._written]
        if self._quarantine_after and unnoted:
            for tp in unnoted:
                self._note(tp, [r for r in fetched[tp] if r.offset not in self.condemned(tp)])
            await self._flush(unnoted)

    async def set_aside(self, fetched: Mapping[TP, Sequence[InRecord]]) -> None:
        """Dispose of what is condemned in *fetched*, which must be opened next.

        Raises:
            PartitionRevoked: The partition is no longer ours.
            PublishFailed: A dead letter was not confirmed.
        """
        for tp in [tp for tp in fetched if self.condemned(tp)]:
            for record in fetched[tp]:
                if (verdict := self.condemned(tp).get(record.offset)) is not None:
                    await self._dispose(tp.topic, tp.partition, record, verdict=verdict)

    async def release(self, timeout_s: float) -> None:
        """Give everything back: what got no further through no fault of its records counts for none.

        After a bug the notes stay; after a crash nobody comes here. An outage of the broker may
        forbid the writing: then the next owner counts one crash, and its first commit ends that.
        """
        held = [] if self.blamed else [*self._written.items()]
        self._written.clear()
        stuck = [tp for tp, note in held if note.first == self._committed.get(tp)]
        try:
            async with asyncio.timeout(timeout_s):
                for tp in stuck:
                    self._notes[tp.partition].put(begun_key(tp.topic), self._found.get(tp))
                await self._flush(stuck)
        except (TimeoutError, PartitionRevoked, PublishFailed) as error:
            log.warning("notes_not_taken_back", n_partitions=len(stuck), error=repr(error))

    def _read(self, tp: TP) -> None:
        notes, epoch = self._notes[tp.partition], self._epochs.get(tp.topic, 0)
        for key in [key for key in notes if is_set_aside_key(key, tp.topic)]:
            note = notes.get(key)
            if isinstance(note, SetAside) and self._is_ahead(tp, note):
                self._condemned.setdefault(tp, {})[note.offset] = note
            else:
                notes.put(key, None)
        found = notes.get(begun_key(tp.topic))
        self._found[tp] = found if isinstance(found, Begun) else None
        suspicion = suspicion_of(
            self._found[tp],
            committed=self._committed[tp],
            epoch=epoch,
            max_in_flight=self._max_in_flight,
        )
        if suspicion is not None and self._quarantine_after:
            self._judge(tp, suspicion)

    def _tell(self, suspects: Iterable[TP]) -> None:
        crashes = {
            f"{tp.topic}[{tp.partition}]@{self._committed[tp]}": self.suspects[tp].n_crashes
            for tp in sorted(suspects)
        }
        if crashes:
            log.warning("partitions_under_suspicion", crashes=crashes)

    def _is_ahead(self, tp: TP, note: SetAside) -> bool:
        same_life = note.epoch == self._epochs.get(tp.topic, 0)
        return same_life and note.offset >= self._committed[tp]

    def _judge(self, tp: TP, suspicion: Suspicion) -> None:
        """Suspect *tp*; a record that is guilty by now is committed before any other is begun."""
        self.suspects[tp] = suspicion
        offset = suspicion.alone_at
        if offset is None or not is_culprit(suspicion, self._quarantine_after):
            return
        epoch = self._epochs.get(tp.topic, 0)
        verdict = SetAside(offset, "Quarantined", suspicion.n_crashes, epoch)
        # Written like a person's: it holds until the group is behind it, whatever dies meanwhile.
        self._condemned.setdefault(tp, {})[offset] = verdict
        self._notes[tp.partition].put(set_aside_key(tp.topic, offset), verdict)

    def _note(self, tp: TP, records: Sequence[InRecord]) -> None:
        """Put the note on *records*; those before them are committed, or set aside."""
        if not records:
            return
        note = Begun(self._committed[tp], 1, self._epochs.get(tp.topic, 0))
        if (suspicion := self.suspects.get(tp)) is not None:
            note = replace(
                note,
                n_owners=suspicion.n_crashes + 1,
                n_records=len(records),
                last_offset=records[-1].offset,
            )
        self._written[tp] = note
        self._notes[tp.partition].put(begun_key(tp.topic), note)

    async def _flush(self, tps: Iterable[TP]) -> None:
        partitions = {tp.partition for tp in tps}
        await asyncio.gather(*(self._notes[partition].flush() for partition in partitions))
