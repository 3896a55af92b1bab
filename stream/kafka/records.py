"""The records that travel through this package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from msgspec import Struct

Headers = Sequence[tuple[str, bytes]]


class Place(NamedTuple):
    """Where a record stands, as errors and commands write it: ``topic[partition]@offset``."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class InRecord(Protocol):
    """A consumed record: :class:`FetchedRecord` is one, aiokafka's ``ConsumerRecord`` another."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


class FetchedRecord(Struct, frozen=True, gc=False):
    """A consumed record and no more; the garbage collector need not look at it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


#: What a consumed record takes beside its bytes, and each of its headers; measured (tracemalloc).
RECORD_OVERHEAD_BYTES = 200
HEADER_OVERHEAD_BYTES = 120


def bytes_of(records: Sequence[InRecord]) -> int:
    """Return about how much memory *records* take; a flood of empty ones takes some, too."""
    n_bytes = RECORD_OVERHEAD_BYTES * len(records)
    n_bytes += sum([len(record.key or b"") + len(record.value or b"") for record in records])
    for record in records:
        if record.headers:
            n_bytes += sum(
                HEADER_OVERHEAD_BYTES + len(name) + len(value or b"")
                for name, value in record.headers
            )
    return n_bytes


class OutRecord(Struct, frozen=True, gc=False):
    """A record to publish; its partition is named, never guessed. ``value`` None deletes the key."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(slots=True, eq=False)
class RecordBatch:
    """A fetched chunk of one partition, completed as a whole and explicitly.

    Attributes:
        records: In offset order; never empty.
        generation: Ordinal of the assignment it was fetched under. Completing a batch of an
            earlier one does nothing: its partition was given back and will be read again.
        epoch: Epoch of the topic; another number means that the topic was created again.
        n_bytes: As :func:`bytes_of` counts them.
    """

    topic: str
    partition: int
    records: Sequence[InRecord]
    generation: int
    epoch: int = 0
    n_bytes: int = 0
    on_complete: Callable[[RecordBatch], None] | None = None
    completed: bool = field(default=False, init=False)

    @property
    def first_offset(self) -> int:
        return self.records[0].offset

    @property
    def last_offset(self) -> int:
        return self.records[-1].offset

    def complete(self) -> None:
        """Say that everything these records caused is confirmed; a second call does nothing."""
        if self.completed:
            return
        self.completed = True
        if self.on_complete is not None:
            self.on_complete(self)
