"""Which records were folded in already: the memory that makes redelivery harmless.

Two things repeat a fact. Kafka *redelivers* a record: same offset. A store *resends* an event:
same id, new offset. The first is known for ever, the second within the last ``RECENT_IDS`` ids.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

from msgspec import Struct

#: Numbers of the topics whose records are folded, as stored in state: never renumber.
EVENTS_TOPIC = 0
ORDERS_TOPIC = 1
STOCK_LEVELS_TOPIC = 2

#: Ids remembered per topic-partition to recognise what a store sent again.
RECENT_IDS = 32
#: Topic-partitions remembered per key. A key lives in one partition per topic; it has more only
#: after partitions were added or where a producer partitions wrongly.
MAX_SOURCES = 16
#: Offset of an id that was seen under another epoch of the topic.
_ANOTHER_EPOCH = -1


class Source(NamedTuple):
    """Where a record stands: number of its topic, partition, epoch of the topic, offset."""

    topic: int
    partition: int
    epoch: int
    offset: int


class Applied(Struct, frozen=True, array_like=True):
    """How far one topic-partition was folded, and the ids met last (oldest first)."""

    topic: int
    partition: int
    epoch: int
    offset: int
    recent_ids: tuple[int, ...] = ()
    recent_offsets: tuple[int, ...] = ()


def fingerprint(identity: str) -> int:
    """Return 64 bits of *identity* that are equal in every process, unlike ``hash``."""
    digest = blake2b(identity.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def is_applied(applied: tuple[Applied, ...], source: Source) -> bool:
    """Whether the record at *source*, or a later one of its partition and epoch, was folded."""
    entry = _entry(applied, source)
    return entry is not None and entry.epoch == source.epoch and source.offset <= entry.offset


def is_resend(applied: tuple[Applied, ...], source: Source, id_: int) -> bool:
    """Whether *id_* came before in another record than the one at *source*.

    The answer is the same before and after *source* is folded, so a redelivered record is not
    taken for a resent one.
    """
    entry = _entry(applied, source)
    if entry is None or id_ not in entry.recent_ids:
        return False
    first = entry.recent_offsets[entry.recent_ids.index(id_)]
    return entry.epoch != source.epoch or first != source.offset


def take(
    applied: tuple[Applied, ...], source: Source, id_: int
) -> tuple[tuple[Applied, ...], bool]:
    """Return *applied* after *source*, and whether its event is new and must be folded.

    A record of an epoch other than the remembered one belongs to a re-created topic: its offsets
    start low again, so it replaces what was remembered. Ids outlive the epoch.
    """
    entry = _entry(applied, source)
    if entry is None:
        fresh = Applied(*source, (id_,), (source.offset,))
        return _bounded((*applied, fresh), fresh), True
    if entry.epoch == source.epoch and source.offset <= entry.offset:
        return applied, False
    after, is_new = _after(entry, source, id_)
    return tuple(after if other is entry else other for other in applied), is_new


def _after(entry: Applied, source: Source, id_: int) -> tuple[Applied, bool]:
    ids, offsets = entry.recent_ids, entry.recent_offsets
    if entry.epoch != source.epoch:
        offsets = (_ANOTHER_EPOCH,) * len(ids)
    is_new = id_ not in ids
    if is_new:
        ids = (*ids[1 - RECENT_IDS :], id_)
        offsets = (*offsets[1 - RECENT_IDS :], source.offset)
    return Applied(*source, ids, offsets), is_new


def _entry(applied: tuple[Applied, ...], source: Source) -> Applied | None:
    for entry in applied:
        if entry.partition == source.partition and entry.topic == source.topic:
            return entry
    return None


def _bounded(entries: tuple[Applied, ...], newest: Applied) -> tuple[Applied, ...]:
    """Sort by topic and partition, so that the order of arrival leaves no trace."""
    ordered = sorted(entries, key=lambda entry: (entry.topic, entry.partition))
    if len(ordered) > MAX_SOURCES:
        ordered.remove(ordered[0] if ordered[0] is not newest else ordered[1])
    return tuple(ordered)
