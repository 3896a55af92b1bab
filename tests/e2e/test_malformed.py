"""Malformed messages of every kind among good ones."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from stream.kafka.records import OutRecord
from stream.topics import INPUTS
from tests.harness.events import raw, view
from tests.harness.load import latencies_ms, p99, send_over
from tests.harness.store import DeadLetter, Sent, Store
from tests.harness.worker import Worker
from tests.unit.builders import NOON_MS

pytestmark = [pytest.mark.broker, pytest.mark.triton, pytest.mark.slow, pytest.mark.alone]

N_MALFORMED = 10_000
N_ROUNDS = 8
GOOD_A_ROUND = 1200
ROUND_S = 3.6
MAX_EVENT_BYTES = 4 * 1024
MAX_DEAD_LETTER_BYTES = 3 * 1024

N_BAD_A_ROUND = N_MALFORMED // N_ROUNDS
BAD_KEYS = [f"bad-{n}".encode() for n in range(50)]
GOOD = {
    "type": "product_viewed",
    "event_id": "e",
    "visitor_id": "bad",
    "occurred_at_ms": NOON_MS,
    "product_id": "p1",
}
#: What is wrong, and a value of which that is so, different for each number.
KINDS: dict[str, Callable[[int], bytes | None]] = {
    "not JSON": lambda n: b"not JSON %d" % n,
    "cut short": lambda n: json.dumps(GOOD | {"event_id": f"{n}"}).encode()[:-2],
    "not an object": lambda n: b"[%d]" % n,
    "wrong type": lambda n: json.dumps(GOOD | {"product_id": n}).encode(),
    "unknown tag": lambda n: json.dumps(GOOD | {"type": f"product_smelled_{n}"}).encode(),
    "missing field": lambda n: json.dumps({"type": "product_viewed", "event_id": f"{n}"}).encode(),
    "null value": lambda _: None,
    "no bytes": lambda _: b"",
    "too large": lambda n: json.dumps(GOOD | {"name": "x" * (MAX_EVENT_BYTES + n)}).encode(),
    "out of range": lambda n: json.dumps(GOOD | {"quantity": -n}).encode(),
    "invalid UTF-8": lambda n: json.dumps(GOOD).encode().replace(b"p1", b"p\xff%d" % n),
    "nested too deeply": lambda n: b'{"type":"product_viewed","deep":%s' % (b"[" * (3000 + n % 7)),
    "not a number": lambda _: json.dumps(GOOD | {"price": float("nan")}).encode(),
}


class Round(NamedTuple):
    """What was sent in a round: good ones alone, then among bad ones."""

    alone: list[Sent]
    among: list[Sent]
    bad: list[Sent]


def malformed() -> Iterator[OutRecord]:
    """Every kind in every input topic, again and again."""
    cases = cycle((topic, make) for topic in INPUTS for make in KINDS.values())
    for n, (topic, make) in enumerate(cases, start=1):
        yield raw(topic, make(n), key=BAD_KEYS[n % len(BAD_KEYS)])


def goods(name: str) -> list[OutRecord]:
    return [view(f"{name}-{n % 300}", f"p{n % 80}") for n in range(GOOD_A_ROUND)]


def mixed(chance: random.Random, *streams: list[OutRecord]) -> list[OutRecord]:
    """Shuffle *streams* into one, each in its own order."""
    names = [i for i, stream in enumerate(streams) for _ in stream]
    chance.shuffle(names)
    sources = [iter(stream) for stream in streams]
    return [next(sources[i]) for i in names]


@pytest.fixture(scope="module")
def worker(store: Store, triton: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    folder: Path = tmp_path_factory.mktemp("worker")
    with Worker(
        folder,
        store.bootstrap,
        triton=triton,
        max_event_bytes=MAX_EVENT_BYTES,
        max_dead_letter_bytes=MAX_DEAD_LETTER_BYTES,
    ) as started:
        yield started.wait_ready()


def test_ten_thousand_malformed_messages_hold_up_no_good_one(store: Store, worker: Worker) -> None:
    """Good load alone and the same among malformed messages take turns, so that both meet the
    same machine; of the rounds' ratios the middle one counts."""
    rounds = [a_round(store, n) for n in range(N_ROUNDS)]

    store.settle()

    assert store.unanswered([sent for each in rounds for sent in (*each.alone, *each.among)]) == []
    assert differences([sent for each in rounds for sent in each.bad], store.dead_letters()) == []
    p99s = [
        (p99(latencies_ms(store, each.alone)), p99(latencies_ms(store, each.among)))
        for each in rounds
    ]
    assert median(among / alone for alone, among in p99s) <= 2, p99s


def a_round(store: Store, n: int) -> Round:
    chance = random.Random(n)
    alone = send_over(store, goods(f"alone-{n}")[: GOOD_A_ROUND // 2], ROUND_S / 2)
    bad = list(islice(malformed(), n * N_BAD_A_ROUND, (n + 1) * N_BAD_A_ROUND))
    both = send_over(store, mixed(chance, goods(f"among-{n}"), bad), ROUND_S)
    among = [sent for sent in both if sent.record.key not in BAD_KEYS]
    return Round(alone, among, bad=[sent for sent in both if sent.record.key in BAD_KEYS])


def differences(sent: list[Sent], letters: list[DeadLetter]) -> list[str]:
    """Say which of *sent* has no dead letter of its own with reason, source and original bytes."""
    by_source = {letter.source: letter for letter in letters}
    wrong = [] if len(by_source) == len(letters) == len(sent) else [f"{len(letters)} dead letters"]
    for place, record in sent:
        letter = by_source.get(place)
        if letter is None or letter.key != record.key or not is_kept(letter.value, record.value):
            wrong.append(f"{place}: {letter}")
            continue
        size = None if letter.value == record.value else str(len(record.value or b""))
        reason = letter.headers["dl-reason"], bool(letter.headers["dl-error"])
        if reason != ("InvalidEvent", True) or letter.headers.get("dl-cut-from-bytes") != size:
            wrong.append(f"{place}: {letter.headers}")
    return wrong


def is_kept(kept: bytes | None, value: bytes | None) -> bool:
    """Whole, or its beginning: key and headers take their share of the letter's size."""
    if kept is None or value is None or len(value) < MAX_DEAD_LETTER_BYTES // 2:
        return kept == value
    return MAX_DEAD_LETTER_BYTES // 2 < len(kept) < MAX_DEAD_LETTER_BYTES and value.startswith(kept)


def test_a_message_under_another_key_is_answered_and_counted(store: Store, worker: Worker) -> None:
    visitor = view("ida", "p3")
    elsewhere = replace(visitor, key=b"not ida", partition=(visitor.partition + 1) % 4)
    before = worker.metric("stream_misplaced_records_total")

    [sent] = store.publish(elsewhere)
    store.settle()

    at = sent.place
    covers = [
        cover
        for answer in store.answers()
        for cover in answer.decoded.covers
        if answer.decoded.visitor_id == "ida"
    ]
    assert [(c.topic, c.partition, c.first_offset) for c in covers] == [at]
    assert worker.metric("stream_misplaced_records_total") > before
