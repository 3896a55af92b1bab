"""What aiokafka gives up on is read all the same, and nothing beside it is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition

from stream.kafka.records import FetchedRecord
from stream.kafka.tolerant import UNREADABLE_HEADER, TolerantRecords, read_tolerantly

GZIP = 1
NAME = "trace"


def batch_of(values: Sequence[bytes], *, base_offset: int = 0, codec: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 100_000)
    for delta, value in enumerate(values):
        builder.append(delta, 1_000 + delta, b"k%d" % delta, value, [(NAME, b"%d" % delta)])
    raw = bytearray(builder.build())
    raw[:8] = base_offset.to_bytes(8, "big")
    return bytes(raw)


def read(raw: bytes) -> list[Any]:
    records = TolerantRecords(raw)
    found = []
    while records.has_next():
        found.extend(records.next_batch())
    return found


def damaged(values: Sequence[bytes], *, old: bytes, new: bytes, base_offset: int = 0) -> bytes:
    raw = batch_of(values, base_offset=base_offset)
    assert raw.count(old) == 1
    return raw.replace(old, new)


@pytest.mark.parametrize("codec", [0, GZIP])
def test_sound_batches_are_read_as_aiokafka_does(codec: int) -> None:
    raw = batch_of([b"a", b"b"], codec=codec) + batch_of([b"c"], base_offset=2, codec=codec)

    assert [(r.offset, r.value) for r in read(raw)] == [(0, b"a"), (1, b"b"), (2, b"c")]


def test_header_name_that_is_no_text_is_read_with_replacement_characters() -> None:
    raw = damaged([b"a", b"b", b"c"], old=b"trace\x021", new=b"tr\xffce\x021", base_offset=40)

    first, second, third = read(raw)

    assert second.headers == [("tr\ufffdce", b"1")]
    assert [(r.offset, r.key, r.value, r.timestamp) for r in (first, second, third)] == [
        (40, b"k0", b"a", 1_000),
        (41, b"k1", b"b", 1_001),
        (42, b"k2", b"c", 1_002),
    ]
    assert (first.headers, third.headers) == ([(NAME, b"0")], [(NAME, b"2")])


def test_record_broken_inside_comes_out_as_bytes_and_its_neighbours_as_they_are() -> None:
    too_long = b"\x7evalue-1"
    raw = damaged([b"value-0", b"value-1", b"value-2"], old=b"\x0evalue-1", new=too_long)

    first, second, third = read(raw)

    assert (first.value, third.value) == (b"value-0", b"value-2")
    assert [r.offset for r in (first, second, third)] == [0, 1, 2]
    assert too_long in second.value
    assert [name for name, _ in second.headers] == [UNREADABLE_HEADER]


def test_record_longer_than_its_batch_takes_the_rest_and_ends_at_its_last_offset() -> None:
    whole = batch_of([b"value-0", b"value-1", b"value-2"], base_offset=7)
    second_at = whole.index(b"value-1") - 8
    raw = whole[:second_at] + b"\x7e" + whole[second_at + 1 :]

    first, rest = read(raw)

    assert (first.offset, first.value) == (7, b"value-0")
    assert rest.offset == 9
    assert b"value-2" in rest.value


def test_consumer_hands_over_records_as_ours_that_say_the_same() -> None:
    read_tolerantly()
    raw = batch_of([b"a", b"b"], base_offset=5)
    at = TopicPartition("t", 0)

    handed = list(fetcher.PartitionRecords(at, TolerantRecords(raw), [], 6, None, None, True, 0))

    assert handed == [FetchedRecord(6, 1_001, b"k1", b"b", ((NAME, b"1"),))]
