"""The only broker dies, loses its disk, or is at the end of a bad connection: nothing is lost."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from stream.bench.faults.wire import Wire
from stream.bench.stage import resident_bytes
from stream.local.apache_kafka import ApacheKafka, fetch_jars
from stream.local.children import free_port
from stream.local.kafka_properties import Wiring
from stream.topics import EVENTS, ORDERS
from tests.harness.fixtures import LEAKS_KNOWN
from tests.harness.judging import losses
from tests.harness.load import latencies_ms, send_over, under_load
from tests.harness.store import Sent, Store
from tests.harness.supervisor import Supervised
from tests.harness.trade import opening, trade
from tests.harness.waiting import until
from tests.harness.worker import Worker

pytestmark = [pytest.mark.kafka, pytest.mark.slow, *LEAKS_KNOWN]

_MIB = 1024 * 1024


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with Wire(free_port()) as wire:
        yield wire


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory, wire: Wire) -> Iterator[ApacheKafka]:
    """A broker that tests talk to directly, and workers through the wire."""
    wiring = Wiring(port=wire.target_port, proxy_port=wire.port)
    broker = ApacheKafka(tmp_path_factory.mktemp("broker"), fetch_jars(), wiring=wiring)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def supervised(store: Store, wire: Wire, tmp_path: Path) -> Iterator[Supervised]:
    with Supervised(lambda: worker_behind(wire, tmp_path)) as supervised:
        supervised.worker.wait_ready()
        yield supervised


def worker_behind(wire: Wire, folder: Path, **settings: Any) -> Worker:
    return Worker(folder, wire.address, triton=None, idempotent=True, **settings)


def test_a_broker_killed_under_load_loses_nothing_and_the_worker_lives_on(
    own_broker: ApacheKafka, store: Store, supervised: Supervised
) -> None:
    chance = random.Random(21)
    sent = store.publish(*opening(chance))

    with under_load(store, trade(chance, 3000), 6) as load:
        supervised.answers_more()
        own_broker.kill()
        own_broker.start()
    supervised.settle(store)

    assert losses(store, sent + load.sent()) == []
    assert supervised.ends == []


def test_a_broker_whose_disk_is_full_halts_and_nothing_is_lost(
    own_broker: ApacheKafka, store: Store, supervised: Supervised
) -> None:
    chance = random.Random(22)

    with under_load(store, trade(chance, 3000), 6) as load:
        supervised.answers_more()
        own_broker.fill_disk()
        until(lambda: own_broker.child.returncode == 1, "it halts: its only log folder failed")
        own_broker.start()
    supervised.settle(store)

    assert losses(store, load.sent()) == []
    assert supervised.ends == []


def test_connections_cut_and_refused_under_load_lose_nothing(
    store: Store, supervised: Supervised, wire: Wire
) -> None:
    chance = random.Random(23)

    with under_load(store, trade(chance, 3000), 6) as load:
        for _ in range(3):
            supervised.answers_more()
            wire.cut()
        supervised.answers_more()
        wire.refuse()
        until(lambda: "Connect call failed" in supervised.worker.tail(), "it is refused")
        wire.heal()
    supervised.settle(store)

    assert losses(store, load.sent()) == []
    assert supervised.ends == []


def test_over_a_slow_connection_answers_are_late_and_none_is_lost(
    store: Store, supervised: Supervised, wire: Wire
) -> None:
    chance = random.Random(24)

    wire.slow(bytes_per_s=200_000, delay_s=0.1)
    sent = send_over(store, trade(chance, 600), 2)
    supervised.settle(store)
    slowly_ms = min(latencies_ms(store, visitors_of(sent)))
    wire.heal()
    sent += send_over(store, trade(chance, 600), 2)
    supervised.settle(store)

    assert slowly_ms >= 200  # there and back, once to fetch it and once to answer it
    assert losses(store, sent) == []
    assert supervised.ends == []


def test_a_worker_that_cannot_publish_stops_reading_and_loses_nothing(
    store: Store, wire: Wire, tmp_path: Path
) -> None:
    """It hears all and is hardly heard; then the connection stalls for longer than its session."""
    chance = random.Random(25)
    bounds: dict[str, Any] = {"max_bytes_in_flight": _MIB, "max_chunk_records": 500}
    with Supervised(lambda: worker_behind(wire, tmp_path, **bounds)) as supervised:
        worker = supervised.worker.wait_ready()
        seen = Seen(worker)
        wire.slow(bytes_per_s=30_000, there_only=True)
        sent = send_over(store, trade(chance, 20_000), 0)
        until(lambda: seen.look() >= _MIB, "as much as may be is in flight", otherwise=seen.told)
        until(lambda: seen.look() and seen.n_looks > 100, "that lasts")
        wire.stall()
        until(lambda: seen.look() and store.group.n_members() == 0, "its group gives it up")
        wire.heal()
        supervised.settle(store)

    # One more round of chunks may come when little less than all is in flight.
    assert max(seen.in_flight) < 2.5 * _MIB < sum(len(each.record.value or b"") for each in sent)
    assert max(seen.resident) - seen.resident[0] < 64 * _MIB
    assert losses(store, sent) == []
    assert supervised.ends == []


class Seen:
    """What a worker holds, in bytes, each time that one looked."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.in_flight: list[float] = []
        self.resident = [resident_bytes(worker.pid)]

    @property
    def n_looks(self) -> int:
        return len(self.in_flight)

    def look(self) -> float:
        self.in_flight.append(self._worker.metric("stream_in_flight_bytes"))
        self.resident.append(resident_bytes(self._worker.pid))
        return self.in_flight[-1]

    def told(self) -> str:
        return f"At most {max(self.in_flight):,.0f} bytes of {_MIB:,}: {self._worker.tail()}"


def visitors_of(sent: Sequence[Sent]) -> list[Sent]:
    """Return those of *sent* that are owed an answer."""
    return [each for each in sent if each.place.topic in {EVENTS.name, ORDERS.name}]
