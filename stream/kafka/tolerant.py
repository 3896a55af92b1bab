"""Reading record batches that aiokafka gives up on: no producer may stop a partition.

Its consumers also hand the records over as ours, for theirs are the dearest part of reading.

One header name that is not UTF-8 makes aiokafka 0.14 raise for its whole record batch, at every
fetch anew. Java's client reads such a name with replacement characters; so do we. A record broken
inside still has its length, so its neighbours are read; it comes out as bytes that are no event.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import structlog
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy, _DefaultRecordPy
from aiokafka.record.memory_records import _MemoryRecordsPy
from aiokafka.record.util import decode_varint

from stream.kafka.records import FetchedRecord

log = structlog.get_logger(__name__)

#: Header of a record that could not be read; its value says why.
UNREADABLE_HEADER = "unreadable"
_MAX_REASON_CHARS = 200


def read_tolerantly() -> None:
    """Make aiokafka's consumers of this process read on; calling it again changes nothing."""
    fetcher.MemoryRecords = TolerantRecords
    fetcher.PartitionRecords = PlainRecords


class PlainRecords(PartitionRecords):  # type: ignore[misc]  # mypy does not follow aiokafka
    """The records of a partition, without the eleven fields of a ``ConsumerRecord``.

    Whoever has deserializers is no consumer of ours, and gets what aiokafka gives.
    """

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        if self._key_deserializer or self._value_deserializer:
            return super()._consumer_record(tp, record)
        headers = tuple(record.headers)
        return FetchedRecord(record.offset, record.timestamp, record.key, record.value, headers)


class TolerantRecords(_MemoryRecordsPy):  # type: ignore[misc]  # final to mypy only
    """The batches of a fetch; aiokafka's own parser reads each of them first."""

    def next_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Return the next batch, None after the last."""
        raw = self._next_slice
        batch = super().next_batch(*args, **kwargs)
        return TolerantBatch(batch, raw) if hasattr(batch, "last_offset_delta") else batch


class TolerantBatch:
    """A batch that is read again, record by record, where aiokafka's parser fails."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except (UnicodeDecodeError, CorruptRecordException) as error:
            offset = self._batch.base_offset
            log.warning("record_batch_damaged", first_offset=offset, error=repr(error))
            return records_of(self._raw)


def records_of(raw: memoryview | bytes) -> Iterator[Any]:
    """Yield a record for each that the batch *raw* has, readable or not, in offset order."""
    batch = _DefaultRecordBatchPy(raw)
    batch._maybe_uncompress()  # noqa: SLF001 - it has no other way to its bytes
    buffer, place = batch._buffer, batch._pos  # noqa: SLF001
    offset = batch.base_offset - 1
    while place < len(buffer):
        try:
            frame, end = _frame_at(buffer, place)
        except (ValueError, IndexError) as error:
            last_offset = max(batch.next_offset - 1, offset + 1)
            yield _unreadable(batch, last_offset, bytes(buffer[place:]), error)
            return
        try:
            record = _record_of(batch, frame)
        except (ValueError, IndexError) as error:
            record = _unreadable(batch, offset + 1, frame, error)
        yield record
        offset, place = record.offset, end


def _frame_at(buffer: bytearray, place: int) -> tuple[bytes, int]:
    length, start = decode_varint(buffer, place)
    end = start + length
    if not start < end <= len(buffer):
        raise ValueError(f"Expected a record of {length} bytes, got {len(buffer) - start}")
    return bytes(buffer[start:end]), end


def _record_of(batch: Any, frame: bytes) -> Any:
    """Read one record of format 2, the fields that follow its length."""
    delta_ms, place = decode_varint(frame, 1)
    offset_delta, place = decode_varint(frame, place)
    key, place = _bytes_at(frame, place)
    value, place = _bytes_at(frame, place)
    n_headers, place = decode_varint(frame, place)
    headers = []
    for _ in range(n_headers):
        name, place = _bytes_at(frame, place)
        content, place = _bytes_at(frame, place)
        headers.append(((name or b"").decode("utf-8", "replace"), content))
    if place != len(frame):
        raise ValueError(f"Expected a record of {place} bytes, got {len(frame)}")
    at_ms = batch.max_timestamp if batch.timestamp_type else batch.first_timestamp + delta_ms
    offset = batch.base_offset + offset_delta
    return _DefaultRecordPy(offset, at_ms, batch.timestamp_type, key, value, headers)


def _bytes_at(frame: bytes, place: int) -> tuple[bytes | None, int]:
    length, place = decode_varint(frame, place)
    if length < 0:
        return None, place
    if place + length > len(frame):
        raise ValueError(f"Expected {length} bytes, got {len(frame) - place}")
    return frame[place : place + length], place + length


def _unreadable(batch: Any, offset: int, frame: bytes, error: Exception) -> Any:
    """The bytes of a record in place of its value: no event, so they end in a dead letter."""
    reason = str(error)[:_MAX_REASON_CHARS].encode()
    headers = [(UNREADABLE_HEADER, reason)]
    at_ms = batch.max_timestamp
    return _DefaultRecordPy(offset, at_ms, batch.timestamp_type, None, frame, headers)
