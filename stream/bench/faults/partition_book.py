"""What was sent to one partition of an input topic, and what became of each record."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from stream.domain.outputs import Cover

OWED, BAD, ANSWERED, DEAD = 1, 2, 4, 8


class Covered(NamedTuple):
    """What one cover of an answer came to.

    Attributes:
        n_new: Events it answers for the first time.
        n_old: Events it answers again.
        goes_on: Whether it goes beyond all that its visitor was answered before: what a consumer
            sees of it, who knows no events.
    """

    n_new: int
    n_old: int
    goes_on: bool


@dataclass(slots=True)
class PartitionBook:
    """One partition in one life of its topic. Compact: a long run has half a million records.

    Attributes:
        flags: One byte a record: what it is owed, and what became of it. Offsets count from 0.
        due_s: When each record was due to be sent, on the load's clock.
        answered_s: The latest ``due_s`` of an event that was answered.
        by_model_s: The same, of one answered with the model.
    """

    flags: bytearray = field(default_factory=bytearray)
    due_s: array[float] = field(default_factory=lambda: array("d"))
    answered_s: float = 0.0
    by_model_s: float = 0.0
    _offsets: dict[bytes, array[int]] = field(default_factory=dict)
    _marks: dict[bytes, int] = field(default_factory=dict)
    _open: deque[int] = field(default_factory=deque)

    def __len__(self) -> int:
        return len(self.flags)

    def sent(self, offset: int, key: bytes, due_s: float, flags: int) -> None:
        """Write down one record; records come in offset order.

        Raises:
            ValueError: One is missing before it, or it was appended twice: then it is the load
                that cannot be believed.
        """
        if offset != len(self.flags):
            raise ValueError(f"offset {offset} where {len(self.flags)} was expected")
        self.flags.append(flags)
        self.due_s.append(due_s)
        if flags & OWED:
            self._offsets.setdefault(key, array("q")).append(offset)
        if flags & (OWED | BAD):
            self._open.append(offset)

    def covered(self, key: bytes, cover: Cover, *, by_model: bool) -> Covered:
        """Note that an answer to visitor *key* covers these records of hers."""
        first, last = cover.first_offset, cover.last_offset
        offsets = self._offsets.get(key, array("q"))
        n_new = n_old = 0
        for offset in offsets[bisect_left(offsets, first) : bisect_right(offsets, last)]:
            if self.flags[offset] & ANSWERED:
                n_old += 1
                continue
            n_new += 1
            self.flags[offset] |= ANSWERED
            self.answered_s = max(self.answered_s, self.due_s[offset])
            if by_model:
                self.by_model_s = max(self.by_model_s, self.due_s[offset])
        mark = self._marks.get(key, -1)
        self._marks[key] = max(mark, last)
        return Covered(n_new, n_old, last > mark)

    def died(self, offset: int) -> bool:
        """Note a dead letter; whether it is the first about its record."""
        is_first = not self.flags[offset] & DEAD
        self.flags[offset] |= DEAD
        return is_first

    def oldest_open_s(self) -> float | None:
        """Return when the oldest event was due that still has no answer, None where all have."""
        while self._open and self.flags[self._open[0]] & (ANSWERED | DEAD):
            self._open.popleft()
        return self.due_s[self._open[0]] if self._open else None

    def unaccounted(self) -> Iterator[int]:
        """Offsets still owed an answer or a dead letter."""
        for offset, flags in enumerate(self.flags):
            if flags & (OWED | BAD) and not flags & (ANSWERED | DEAD):
                yield offset
