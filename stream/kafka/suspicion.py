"""Which record do workers die at? Pure: from what the last owner began to how to read on.

A worker that is killed by a record cannot say so. It says before it starts what it begins; while
the committed offset stands there when the next owner comes, the last one got behind none of it.
Then the same records are read again in sixteen parts, one part in flight at a time, and the part
that kills is known to the next owner: a record among 16,000 stands alone after four such owners.
"""

from __future__ import annotations

from dataclasses import dataclass

from .notes import Begun

#: Bisecting would take more deaths: log2 of the records in place of log16.
N_PARTS = 16


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Records that some owners did not survive, or had no time for.

    Attributes:
        until: Offset behind the last one suspected; the records from there on are as any other.
        n_crashes: Owners that ended with these, or with more records around them, in flight.
        max_records: So many are begun at a time.
        alone_at: Offset of the only one that is left, None while there are more.
    """

    until: int
    n_crashes: int
    max_records: int
    alone_at: int | None = None


def suspicion_of(
    note: Begun | None, *, committed: int, epoch: int, max_in_flight: int
) -> Suspicion | None:
    """Return what *note* says against the records from *committed* on, None when nothing.

    Args:
        committed: The group's offset of the partition, 0 while there is none.
        epoch: Of the topic.
        max_in_flight: Records of a partition that an owner without suspicion has in flight at most.
    """
    if note is None or note.epoch != epoch or note.first != committed:
        return None
    n_records = note.n_records or max_in_flight
    return Suspicion(
        until=note.last_offset + 1 if note.n_records else committed + n_records,
        n_crashes=note.n_owners,
        max_records=-(-n_records // N_PARTS),
        alone_at=note.last_offset if note.n_records == 1 else None,
    )


def is_culprit(suspicion: Suspicion, quarantine_after: int) -> bool:
    """Whether one record is left, and *quarantine_after* owners ended with it; 0 is never."""
    n_enough = 0 < quarantine_after <= suspicion.n_crashes
    return n_enough and suspicion.alone_at is not None
