"""One node of three dies under load: another takes over what it did, and nothing is lost."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stream.kafka.records import OutRecord
from stream.local.apache_kafka import fetch_jars
from stream.local.kafka_cluster import KafkaCluster
from stream.topics import EVENTS
from tests.harness.events import view
from tests.harness.fixtures import LEAKS_KNOWN
from tests.harness.group import GROUP
from tests.harness.judging import losses
from tests.harness.load import send_over, under_load
from tests.harness.store import Store, empty_store
from tests.harness.supervisor import GIVEN_UP, Supervised
from tests.harness.trade import opening, trade
from tests.harness.worker import Worker

pytestmark = [pytest.mark.kafka, pytest.mark.slow, *LEAKS_KNOWN]

#: A session of the node's (3 s), a new controller, a new leader, and the worker's way back into its
#: group (a session of 3 s): nine seconds or so.
ANSWERS_AGAIN_S = 30.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    cluster = KafkaCluster(tmp_path_factory.mktemp("cluster"), fetch_jars())
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop(0)


@pytest.fixture(scope="module")
def store(cluster: KafkaCluster) -> Iterator[Store]:
    created = empty_store(cluster.bootstrap, replication=3)
    cluster.wait_in_sync()
    yield created
    created.close()


def leader_of_visitors(cluster: KafkaCluster) -> int | None:
    return cluster.leader_of(EVENTS.name, 0)


def coordinator(cluster: KafkaCluster) -> int | None:
    return cluster.coordinator_of(GROUP)


@pytest.mark.parametrize("role", [leader_of_visitors, coordinator])
def test_while_a_node_is_down_answers_flow_again_and_nothing_is_lost(
    cluster: KafkaCluster, store: Store, tmp_path: Path, role: Callable[[KafkaCluster], int | None]
) -> None:
    chance = random.Random(31)
    sent = store.publish(*opening(chance))
    with Supervised(lambda: worker_of(cluster, tmp_path)) as supervised:
        supervised.worker.wait_ready()
        with under_load(store, trade(chance, 3000), 6) as load:
            supervised.answers_more()
            killed = role(cluster)
            assert killed is not None
            cluster.nodes[killed].kill()
        afterwards = send_over(store, one_view_a_partition(), 0)
        supervised.answer(store, afterwards, within_s=ANSWERS_AGAIN_S)
        taken_over_by = role(cluster)

        cluster.nodes[killed].start()
        cluster.wait_in_sync()
        supervised.settle(store)

    assert taken_over_by not in {killed, None}
    assert losses(store, sent + load.sent() + afterwards) == []
    assert all(GIVEN_UP in end for end in supervised.ends)


def worker_of(cluster: KafkaCluster, folder: Path) -> Worker:
    return Worker(
        folder,
        cluster.bootstrap,
        triton=None,
        idempotent=True,
        replication=3,
        min_insync_replicas=2,
    )


def one_view_a_partition() -> list[OutRecord]:
    views = [view(f"afterwards-{number}", "p1") for number in range(40)]
    return [*{each.partition: each for each in views}.values()]
