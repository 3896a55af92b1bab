"""A broker that hands out everything and takes nothing back: what a worker holds stays bounded.

Each bound is made the only one. There is a third, for a worker's first chunk of each partition: it
waits until the note on it is confirmed (``kafka/probation.py``), so a worker that can publish nothing
from the beginning reads next to nothing. Here every partition has been read before.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stream.bench.faults.wire import Wire
from stream.bench.stage import resident_bytes
from stream.kafka.records import RECORD_OVERHEAD_BYTES
from stream.local.apache_kafka import ApacheKafka
from stream.topics import EVENTS, READ
from tests.harness.events import N_PARTITIONS
from tests.harness.fixtures import LEAKS_KNOWN
from tests.harness.judging import losses
from tests.harness.load import send_over
from tests.harness.store import Sent, Store
from tests.harness.supervisor import Supervised
from tests.harness.trade import trade
from tests.harness.waiting import until
from tests.harness.worker import Worker

pytestmark = [pytest.mark.kafka, pytest.mark.slow, *LEAKS_KNOWN]

_MIB = 1024 * 1024
#: Far beyond all that is sent, so that the other bound is the one that holds.
_NO_BOUND = {"max_bytes_in_flight": 64 * _MIB, "max_chunks_buffered": 64}
#: Looks at a worker, each a few hundredths of a second, in which it could read all that there is.
_N_LOOKS = 100
#: The api key of a request to publish.
_PRODUCE = 0


@pytest.fixture(scope="module")
def own_broker(wired_broker: ApacheKafka) -> ApacheKafka:
    return wired_broker


def test_bytes_in_flight_stay_bounded_while_nothing_can_be_published(
    store: Store, wire: Wire, tmp_path: Path
) -> None:
    chance = random.Random(25)
    bounds = {**_NO_BOUND, "max_bytes_in_flight": _MIB, "max_chunk_records": 500}
    with supervised_worker(wire, tmp_path, bounds) as supervised:
        before = read_everywhere(store, supervised, chance)
        seen = Seen(supervised.worker)
        with nothing_publishable(wire):
            n_answers = answers_of(store)
            sent = send_over(store, trade(chance, 20_000), 0)
            until(lambda: seen.look() >= _MIB, "all that may be is in flight", otherwise=seen.told)
            seen.look_for_long()
            n_more_answers = answers_of(store) - n_answers
        supervised.settle(store)

    one_chunk = 500 * max(size_of(each) for each in sent)
    assert max(seen.in_flight) < _MIB + one_chunk < sum(map(size_of, sent)) / 3
    assert max(seen.resident) - seen.resident[0] < 32 * _MIB
    assert n_more_answers == 0
    assert losses(store, before + sent) == []
    assert supervised.ends == []


def test_records_of_a_partition_stay_bounded_while_nothing_can_be_published(
    store: Store, wire: Wire, tmp_path: Path
) -> None:
    chance = random.Random(26)
    bounds = {**_NO_BOUND, "max_chunks_buffered": 2, "max_chunk_records": 100}
    with supervised_worker(wire, tmp_path, bounds) as supervised:
        before = read_everywhere(store, supervised, chance)
        seen = Seen(supervised.worker)
        n_read = seen.n_read(EVENTS.name)
        with nothing_publishable(wire):
            n_answers = answers_of(store)
            sent = send_over(store, trade(chance, 4_000), 0)
            until(
                lambda: seen.look() and seen.n_read(EVENTS.name) - n_read > 100 * N_PARTITIONS,
                "every partition holds what it may",
                otherwise=seen.told,
            )
            seen.look_for_long()
            n_more_read = seen.n_read(EVENTS.name) - n_read
            n_more_answers = answers_of(store) - n_answers
        supervised.settle(store)

    n_sent = sum(each.place.topic == EVENTS.name for each in sent)
    assert n_more_read <= 2 * 100 * N_PARTITIONS < n_sent / 3
    assert n_more_answers == 0
    assert losses(store, before + sent) == []
    assert supervised.ends == []


def read_everywhere(store: Store, supervised: Supervised, chance: random.Random) -> list[Sent]:
    """Let the worker read and note every partition once; return what that took."""
    sent = send_over(store, trade(chance, 600), 0)
    supervised.settle(store)
    assert len({place for place, at in store.committed().items() if at}) == len(READ) * N_PARTITIONS
    return sent


@contextmanager
def supervised_worker(wire: Wire, folder: Path, bounds: dict[str, Any]) -> Iterator[Supervised]:
    def start() -> Worker:
        return Worker(folder, wire.address, triton=None, idempotent=True, **bounds)

    with Supervised(start) as supervised:
        supervised.worker.wait_ready()
        yield supervised


@contextmanager
def nothing_publishable(wire: Wire) -> Iterator[None]:
    """Hold back what the worker publishes, and nothing else that it says."""
    wire.hold(_PRODUCE)
    try:
        yield
    finally:
        wire.heal()


class Seen:
    """What a worker holds, in bytes, each time that one looked."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.in_flight: list[float] = []
        self.resident = [resident_bytes(worker.pid)]

    def look(self) -> float:
        self.in_flight.append(self._worker.metric("stream_in_flight_bytes"))
        self.resident.append(resident_bytes(self._worker.pid))
        return self.in_flight[-1]

    def look_for_long(self) -> None:
        """Look so often that a worker without bounds would have read on."""
        n_enough = len(self.in_flight) + _N_LOOKS
        until(
            lambda: self.look() and len(self.in_flight) >= n_enough,
            "it still holds them",
            otherwise=self.told,
        )

    def n_read(self, topic: str) -> float:
        """How many records of *topic* it has decoded."""
        return self._worker.metric("stream_read_records_total", topic=topic)

    def told(self) -> str:
        held = f"{len(self.in_flight)} looks, now {self.in_flight[-1]:,.0f} bytes in flight"
        return f"{held}, at most {max(self.in_flight):,.0f}: {self._worker.tail()}"


def answers_of(store: Store) -> int:
    store.read()
    return len(store.answers())


def size_of(sent: Sent) -> int:
    """Return what a record counts for in flight."""
    return RECORD_OVERHEAD_BYTES + len(sent.record.value or b"") + len(sent.record.key or b"")
