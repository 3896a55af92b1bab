"""Which records were folded in already: the memory that makes redelivery harmless.

Two things repeat a fact. Kafka *redelivers* a record: same offset. A store *resends* an event:
same id, new offset. The first is known for ever, the second within the last ``RECENT_IDS`` ids.
"""

from __future__ import annotations

from hashlib import blake2b

from msgspec import Struct

#: Numbers of the topics whose records are folded, as stored in state: never renumber.
EVENTS_TOPIC = 0
ORDERS_TOPIC = 1
STOCK_LEVELS_TOPIC = 2

#: Ids remembered per topic-partition to recognise what a store sent again.
RECENT_IDS = 32
_ID_BYTES = 8
_KEPT_BYTES = (RECENT_IDS - 1) * _ID_BYTES
#: Topic-partitions remembered per key. A key lives in one partition per topic; it has more only
#: after partitions were added or where a producer partitions wrongly.
MAX_SOURCES = 16


class Source(Struct, frozen=True, gc=False):
    """Where a record stands: number of its topic, partition, epoch of the topic, offset."""

    topic: int
    partition: int
    epoch: int
    offset: int


class Applied(Struct, frozen=True, array_like=True, gc=False):
    """How far one topic-partition was folded, and the ids met last.

    ``recent_ids`` are fingerprints end to end, oldest first: one string is searched and copied in
    a fraction of the time that as many numbers take, once per event.
    ``resent`` holds the offsets of the last records whose id had come before: when such a record
    is delivered again, the id may be forgotten by then, the decision must not be.
    """

    topic: int
    partition: int
    epoch: int
    offset: int
    recent_ids: bytes = b""
    resent: tuple[int, ...] = ()


def fingerprint(identity: str) -> bytes:
    """Return 64 bits of *identity* that are equal in every process, unlike ``hash``."""
    return blake2b(identity.encode(), digest_size=_ID_BYTES).digest()


def is_applied(applied: tuple[Applied, ...], source: Source) -> bool:
    """Whether the record at *source*, or a later one of its partition and epoch, was folded."""
    entry = _entry(applied, source)
    return entry is not None and entry.epoch == source.epoch and source.offset <= entry.offset


def is_resend(applied: tuple[Applied, ...], source: Source, id_: bytes) -> bool:
    """Whether *id_* came before in another record than the one at *source*.

    Of a record folded earlier it says what folding it found, so a redelivered record is not taken
    for a resent one, nor a resent one for new.
    """
    entry = _entry(applied, source)
    if entry is None:
        return False
    if entry.epoch == source.epoch and source.offset <= entry.offset:
        return source.offset in entry.resent
    return _contains(entry.recent_ids, id_)


def take(
    applied: tuple[Applied, ...], source: Source, id_: bytes
) -> tuple[tuple[Applied, ...], bool]:
    """Return *applied* after *source*, and whether its event is new and must be folded.

    A record of an epoch other than the remembered one belongs to a re-created topic: its offsets
    start low again, so it replaces what was remembered. Ids outlive the epoch.
    """
    offset, epoch = source.offset, source.epoch
    entry = _entry(applied, source)
    if entry is None:
        fresh = Applied(source.topic, source.partition, epoch, offset, id_)
        return _bounded((*applied, fresh), fresh), True
    if entry.epoch == epoch and offset <= entry.offset:
        return applied, False
    ids = entry.recent_ids
    resent = entry.resent if entry.epoch == epoch else ()
    is_new = not _contains(ids, id_)
    if is_new:
        ids = ids[-_KEPT_BYTES:] + id_
    else:
        resent = (*resent[1 - RECENT_IDS :], offset)
    after = Applied(source.topic, source.partition, epoch, offset, ids, resent)
    return (after,) if len(applied) == 1 else _replaced(applied, entry, after), is_new


def _contains(ids: bytes, id_: bytes) -> bool:
    place = ids.find(id_)
    while place > 0 and place % _ID_BYTES:  # not where an id begins: a chance, not a find
        place = ids.find(id_, place + 1)
    return place >= 0


def _entry(applied: tuple[Applied, ...], source: Source) -> Applied | None:
    topic, partition = source.topic, source.partition
    for entry in applied:
        if entry.partition == partition and entry.topic == topic:
            return entry
    return None


def _replaced(entries: tuple[Applied, ...], old: Applied, new: Applied) -> tuple[Applied, ...]:
    return tuple([new if entry is old else entry for entry in entries])


def _bounded(entries: tuple[Applied, ...], newest: Applied) -> tuple[Applied, ...]:
    """Sort by topic and partition, so that the order of arrival leaves no trace."""
    ordered = sorted(entries, key=lambda entry: (entry.topic, entry.partition))
    if len(ordered) > MAX_SOURCES:
        ordered.remove(ordered[0] if ordered[0] is not newest else ordered[1])
    return tuple(ordered)
