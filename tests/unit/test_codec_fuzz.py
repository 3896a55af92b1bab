"""Every reading of bytes, under damage that keeps the structure of events.

``STORESTREAM_FUZZ_EXAMPLES`` says how many values each test damages (200 when absent). The corpus
of ``tests/harness/fuzzing.py`` is where they begin.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from itertools import chain

import pytest
from hypothesis import event as note
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream.bench.faults.damage import DAMAGES, damaged
from stream.codec import UNREADABLE, encode
from stream.kafka.records import OutRecord, RecordBatch
from stream.pipeline.intake import Limits, Reader
from stream.telemetry import Telemetry
from stream.topics import EVENTS, ORDERS, STOCK_LEVELS, STOCK_MOVEMENTS, dead_letter_name
from tests.harness.fuzzing import N_BLOWS, READINGS, corpus, outcome_of
from tests.unit.builders import NOON_MS, Record
from tests.unit.pipeline.fakes import batch_of
from tests.unit.pipeline.scenes import RecommendScene, StockScene, completed

N_EXAMPLES = int(os.environ.get("STORESTREAM_FUZZ_EXAMPLES", "200"))
MAX_EVENT_BYTES = 10_000
MAX_DEAD_LETTER_BYTES = 2_048

KNOWN = {topic: corpus(topic) for topic in READINGS}
OTHERS = [value for known in KNOWN.values() for value in known.values()]
READABLE = [
    value
    for known in KNOWN.values()
    for outcome, value in known.items()
    if outcome.startswith("read-")
]
CASES = [(topic, outcome) for topic, known in KNOWN.items() for outcome in known]
TOPICS = st.sampled_from(sorted(READINGS))
BLOWS = st.lists(
    st.tuples(st.sampled_from(DAMAGES), st.integers(0, 2**32 - 1)), min_size=1, max_size=N_BLOWS
)
# Events more often than the rest: there is the more to damage in them.
SEEDS = st.one_of(st.sampled_from(READABLE), st.sampled_from(OTHERS))
VALUES = st.builds(damaged, SEEDS, BLOWS, st.just(OTHERS))
RECORDS = st.builds(
    Record,
    st.one_of(VALUES, SEEDS, st.none()),
    st.one_of(st.none(), st.sampled_from([b"", b"ann", b"\xff" * 600]), st.binary(max_size=9)),
    timestamp=st.sampled_from([NOON_MS, -1, 0, -(2**62), 7_258_118_400_000]),
    headers=st.lists(st.tuples(st.text(max_size=9), st.binary(max_size=99)), max_size=3),
)
CHUNKS = st.lists(RECORDS, min_size=1, max_size=12)
fuzzed = settings(max_examples=N_EXAMPLES)


def numbered(records: Sequence[Record]) -> list[Record]:
    return [
        Record(each.value, each.key, offset, each.timestamp, each.headers)
        for offset, each in enumerate(records)
    ]


def size_of(letter: OutRecord) -> int:
    headers = sum(len(name.encode()) + len(content) for name, content in letter.headers)
    return len(letter.key or b"") + len(letter.value or b"") + headers


# --- The corpus --------------------------------------------------------------------------------


@pytest.mark.parametrize(("topic", "outcome"), CASES)
def test_value_of_the_corpus_comes_to_what_its_name_says(topic: str, outcome: str) -> None:
    assert outcome_of(topic, KNOWN[topic][outcome]) == outcome


@pytest.mark.parametrize("topic", sorted(READINGS))
def test_corpus_has_readable_values_and_many_that_are_not(topic: str) -> None:
    kinds = [outcome.partition("-")[0] for outcome in KNOWN[topic]]

    assert kinds.count("read") == len(kinds) - kinds.count("refused") >= 1
    assert kinds.count("refused") >= 20


# --- Damage ------------------------------------------------------------------------------------


@fuzzed
@given(topic=TOPICS, value=VALUES)
def test_damaged_value_is_refused_as_unreadable_or_read_and_written_alike(
    topic: str, value: bytes
) -> None:
    decode = READINGS[topic].decode
    note(outcome_of(topic, value))

    try:
        event = decode(value)
    except UNREADABLE:
        return

    assert decode(encode(event)) == event


@fuzzed
@given(topic=TOPICS, records=CHUNKS)
@example(topic=EVENTS.name, records=[Record(b'{"type":"\\u001b[2J\\n"}')])
@example(topic=ORDERS.name, records=[Record(b'{"type":"%s"}' % (b"x" * 9_000), b"k" * 9_000)])
def test_every_record_of_a_chunk_is_an_event_or_a_bounded_dead_letter(
    topic: str, records: list[Record]
) -> None:
    limits = Limits(MAX_EVENT_BYTES, MAX_DEAD_LETTER_BYTES, 60_000, n_partitions=4)
    reader, batch = Reader(Telemetry(), limits), batch_of(topic, numbered(records))

    intake = reader.take_in(batch, READINGS[topic])

    read = [record.offset for record, _ in chain.from_iterable(intake.events.values())]
    dead = [int(dict(letter.headers)["dl-offset"]) for letter in intake.dead]
    assert sorted(read + dead) == list(range(len(records)))
    assert {letter.topic for letter in intake.dead} <= {dead_letter_name(topic)}
    assert all(size_of(letter) <= MAX_DEAD_LETTER_BYTES for letter in intake.dead)
    errors = [dict(letter.headers)["dl-error"].decode() for letter in intake.dead]
    assert all(error.isprintable() and f"{topic}[0]@" in error for error in errors)


@fuzzed
@given(topic=st.sampled_from([EVENTS.name, ORDERS.name]), records=CHUNKS)
def test_visitors_pipeline_completes_any_chunk(topic: str, records: list[Record]) -> None:
    async def take() -> RecordBatch:
        batch = batch_of(topic, numbered(records))
        await completed(RecommendScene(), batch)
        return batch

    assert asyncio.run(take()).completed


@fuzzed
@given(topic=st.sampled_from([STOCK_LEVELS.name, STOCK_MOVEMENTS.name]), records=CHUNKS)
def test_products_pipeline_completes_any_chunk(topic: str, records: list[Record]) -> None:
    async def take() -> RecordBatch:
        batch = batch_of(topic, numbered(records))
        await completed(StockScene(), batch)
        return batch

    assert asyncio.run(take()).completed
