"""The only broker dies, loses its disk, or is at the end of a bad connection: nothing is lost."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path

import pytest

from stream.bench.faults.wire import Wire
from stream.local.apache_kafka import ApacheKafka
from stream.topics import EVENTS, ORDERS
from tests.harness.fixtures import LEAKS_KNOWN
from tests.harness.judging import losses
from tests.harness.load import latencies_ms, send_over, under_load
from tests.harness.store import Sent, Store
from tests.harness.supervisor import GIVEN_UP, Supervised
from tests.harness.trade import opening, trade
from tests.harness.waiting import until
from tests.harness.worker import Worker

pytestmark = [pytest.mark.kafka, pytest.mark.slow, *LEAKS_KNOWN]


@pytest.fixture(scope="module")
def own_broker(wired_broker: ApacheKafka) -> ApacheKafka:
    return wired_broker


@pytest.fixture
def supervised(store: Store, wire: Wire, tmp_path: Path) -> Iterator[Supervised]:
    with Supervised(lambda: worker_behind(wire, tmp_path)) as supervised:
        supervised.worker.wait_ready()
        yield supervised


def worker_behind(wire: Wire, folder: Path) -> Worker:
    return Worker(folder, wire.address, triton=None, idempotent=True)


def test_a_broker_killed_under_load_loses_nothing(
    own_broker: ApacheKafka, store: Store, supervised: Supervised
) -> None:
    chance = random.Random(21)
    sent = store.publish(*opening(chance))

    with under_load(store, trade(chance, 3000), 6) as load:
        supervised.answers_more()
        own_broker.kill()
        until(lambda: "Unable connect to node" in supervised.worker.tail(), "it misses the broker")
        live_without_it, _ = supervised.worker.ask("/live")
        own_broker.start()
    supervised.settle(store)

    assert live_without_it == HTTPStatus.OK
    assert losses(store, sent + load.sent()) == []
    assert all(GIVEN_UP in end for end in supervised.ends)


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
    assert all(GIVEN_UP in end for end in supervised.ends)


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


def test_a_connection_stalled_for_longer_than_a_session_ends_the_worker_and_loses_nothing(
    store: Store, supervised: Supervised, wire: Wire
) -> None:
    chance = random.Random(25)

    with under_load(store, trade(chance, 3000), 6) as load:
        supervised.answers_more()
        wire.stall()
        until(lambda: store.group.n_members() == 0, "its group gives the worker up")
        wire.heal()
    supervised.settle(store)

    assert losses(store, load.sent()) == []
    assert [GIVEN_UP in end for end in supervised.ends] == [True]


def visitors_of(sent: Sequence[Sent]) -> list[Sent]:
    """Return those of *sent* that are owed an answer."""
    return [each for each in sent if each.place.topic in {EVENTS.name, ORDERS.name}]
