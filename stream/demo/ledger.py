"""What was put in, record by record, and what became of each: the books of the audit.

Built from the topics alone. Compact, because a replay at full speed has a million records.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from stream.demo.replay import HISTORY
from stream.domain.events import ANSWERED, OrderCancelled, OrderCompleted, OrderRefunded
from stream.kafka.records import InRecord

OWED, HISTORICAL, DEAD, ANSWERED_FLAG = 1, 2, 4, 8

_OWED_KINDS = frozenset(str(kind.__struct_config__.tag) for kind in ANSWERED)
_MOVING_KINDS = frozenset(
    str(kind.__struct_config__.tag) for kind in (OrderCompleted, OrderCancelled, OrderRefunded)
)


class _Line(msgspec.Struct):
    product_id: str


class _Head(msgspec.Struct):
    """As much of an event as the books need."""

    type: str
    products: tuple[_Line, ...] = ()


_head = msgspec.json.Decoder(_Head)


class Chunk(NamedTuple):
    """Records of one partition in offset order."""

    topic: str
    partition: int
    records: Sequence[InRecord]


@dataclass(slots=True)
class PartitionBook:
    """The records of one input partition.

    Attributes:
        flags: One byte a record: whether it is owed an answer, is history, what became of it.
        appended_ms: Timestamp of each record.
        latency_ms: From a record's timestamp to that of the first output covering it; -1 before.
        offsets: Offsets of each key, rising. Offsets count from 0: nothing is compacted away.
        moved: Products moved by each order, by offset.
    """

    flags: bytearray = field(default_factory=bytearray)
    appended_ms: array[int] = field(default_factory=lambda: array("q"))
    latency_ms: array[int] = field(default_factory=lambda: array("q"))
    offsets: dict[bytes, list[int]] = field(default_factory=dict)
    moved: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.flags)

    def record(self, record: InRecord) -> None:
        """Write down one input record; records come in offset order."""
        if record.offset != len(self.flags):
            raise ValueError(f"offset {record.offset} where {len(self.flags)} was expected")
        head = _read_head(record.value)
        historical = list(record.headers) == list(HISTORY)
        self.flags.append(
            OWED * (head.type in _OWED_KINDS and not historical) | HISTORICAL * historical
        )
        self.appended_ms.append(record.timestamp)
        self.latency_ms.append(-1)
        self.offsets.setdefault(record.key or b"", []).append(record.offset)
        if head.type in _MOVING_KINDS:
            self.moved[record.offset] = tuple(line.product_id for line in head.products)

    def dead(self, offset: int) -> None:
        """Note a dead letter about this record."""
        self.flags[offset] |= DEAD

    def covered(self, key: bytes, first: int, last: int, at_ms: int) -> int:
        """Note an output for *key*; the answer is how many of its records had none before."""
        offsets = self.offsets.get(key, [])
        n_new = 0
        for offset in offsets[bisect_left(offsets, first) : bisect_right(offsets, last)]:
            if not self.flags[offset] & ANSWERED_FLAG:
                self.flags[offset] |= ANSWERED_FLAG
                self.latency_ms[offset] = at_ms - self.appended_ms[offset]
                n_new += 1
        return n_new

    def unanswered(self) -> Iterator[int]:
        """Offsets still owed an answer."""
        for offset, flags in enumerate(self.flags):
            if flags & OWED and not flags & (DEAD | ANSWERED_FLAG):
                yield offset

    def unfolded(self, folded: Mapping[bytes, int]) -> Iterator[int]:
        """Offsets that state does not contain; *folded* has the last folded offset of each key."""
        for key, offsets in self.offsets.items():
            for offset in offsets[bisect_right(offsets, folded.get(key, -1)) :]:
                if not self.flags[offset] & DEAD:
                    yield offset

    def latencies(self) -> Iterable[int]:
        """Milliseconds from append to answer of every answered record that was owed one."""
        return (
            latency
            for latency, flags in zip(self.latency_ms, self.flags, strict=True)
            if flags & OWED and flags & ANSWERED_FLAG
        )


def _read_head(value: bytes | None) -> _Head:
    try:
        return _head.decode(value or b"")
    except msgspec.DecodeError:
        return _Head("unreadable")


def percentiles(latencies_ms: Sequence[int], levels: Sequence[float]) -> list[float | None]:
    """Nearest-rank percentiles; None without any latency."""
    ranked = sorted(latencies_ms)
    if not ranked:
        return [None for _ in levels]
    last = len(ranked) - 1
    return [float(ranked[min(last, int(level * len(ranked)))]) for level in levels]
