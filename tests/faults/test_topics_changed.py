"""Topics deleted and created again, or given more partitions, while workers run or are down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient

from stream.domain.sessions import Session
from stream.kafka.administration import create_topics, list_topics
from stream.local.local_broker import LocalBroker
from stream.settings import Settings
from stream.topics import EVENTS, RECOMMENDATIONS, SESSIONS_CHANGELOG, TopicSpec
from stream.wanted_topics import wanted_topics
from tests.harness.events import N_PARTITIONS, view
from tests.harness.judging import folded
from tests.harness.store import Sent, Store, empty_store
from tests.harness.waiting import until
from tests.harness.worker import Worker

pytestmark = pytest.mark.slow

N_VISITORS = 8 * N_PARTITIONS


@pytest.fixture
def admin(own_broker: LocalBroker) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=own_broker.bootstrap)
    yield client
    client.close()


@pytest.mark.kafka
@pytest.mark.parametrize("exactly_once", [False, True])
def test_a_topic_created_again_under_a_worker_is_read_from_its_beginning(
    own_broker: LocalBroker, admin: KafkaAdminClient, tmp_path: Path, *, exactly_once: bool
) -> None:
    """It has more records than the old one when the worker looks: its position is in their midst."""
    name, bootstrap = f"after-{exactly_once}", own_broker.bootstrap
    with (
        closing(empty_store(bootstrap)) as store,
        Worker(tmp_path, bootstrap, triton=None, exactly_once=exactly_once) as worker,
    ):
        worker.wait_ready()
        publish_views(store, f"before-{exactly_once}", n_each=2)
        store.settle()
        with worker.held():
            create_again(admin, bootstrap, EVENTS)
            again = Store(bootstrap)
            sent = publish_views(again, name, n_each=4)
        code = worker.wait_ended()
    with closing(again), Worker(tmp_path, bootstrap, triton=None, exactly_once=exactly_once):
        again.settle()

    [failure] = worker.logged("worker_failed")
    assert code != 0
    assert "TopicRecreated('store.events.v1" in failure["error"]
    assert again.unanswered(sent) == []
    assert trails_of(again.sessions(), name) == trails_of(folded(again).sessions, name)


@pytest.mark.broker
def test_a_topic_created_again_while_workers_are_down_is_read_from_its_beginning(
    own_broker: LocalBroker, admin: KafkaAdminClient, tmp_path: Path
) -> None:
    store = empty_store(own_broker.bootstrap)
    publish_views(store, "early", n_each=2)
    with Worker(tmp_path, store.bootstrap, triton=None):
        store.settle()

    create_again(admin, store.bootstrap, EVENTS)
    again = Store(store.bootstrap)
    sent = publish_views(again, "late", n_each=4)
    with Worker(tmp_path, store.bootstrap, triton=None):
        again.settle()

    assert again.unanswered(sent) == []
    assert trails_of(again.sessions(), "late") == trails_of(folded(again).sessions, "late")
    store.close()
    again.close()


@pytest.mark.broker
def test_a_changelog_created_again_under_a_worker_ends_it(
    store: Store, admin: KafkaAdminClient, tmp_path: Path
) -> None:
    with Worker(tmp_path, store.bootstrap, triton=None) as worker:
        worker.wait_ready()

        create_again(admin, store.bootstrap, SESSIONS_CHANGELOG)
        code = worker.wait_ended()

    assert code != 0
    [failure] = worker.logged("worker_failed")
    assert "store.sessions.v1.changelog was deleted and created again" in failure["error"]


@pytest.mark.broker
def test_an_output_created_again_under_a_worker_is_said_and_gets_what_comes(
    own_broker: LocalBroker, admin: KafkaAdminClient, tmp_path: Path
) -> None:
    with Worker(tmp_path, own_broker.bootstrap, triton=None) as worker:
        worker.wait_ready()

        create_again(admin, own_broker.bootstrap, RECOMMENDATIONS)
        until(lambda: worker.logged("topic_created_again"), "it is said")
        again = Store(own_broker.bootstrap)
        sent = publish_views(again, "onwards", n_each=1)
        again.settle()

        assert worker.child.alive
    assert again.unanswered(sent) == []
    again.close()


@pytest.mark.kafka
def test_partitions_added_to_one_topic_end_each_worker_that_reads_it(
    store: Store, admin: KafkaAdminClient, tmp_path: Path
) -> None:
    with Worker(tmp_path, store.bootstrap, triton=None) as worker:
        worker.wait_ready()

        admin.create_partitions({EVENTS.name: N_PARTITIONS + 1})
        code = worker.wait_ended()
    with Worker(tmp_path, store.bootstrap, triton=None) as successor:
        refused = successor.wait_ended()

    [failure] = worker.logged("worker_failed")
    assert (code != 0, refused != 0) == (True, True)
    assert "TopicMismatch" in failure["error"]
    assert f"store.events.v1 has {N_PARTITIONS + 1}" in failure["error"]
    assert f"store.events.v1 has {N_PARTITIONS + 1}" in successor.tail()


def create_again(admin: KafkaAdminClient, bootstrap: str, topic: TopicSpec) -> None:
    admin.delete_topics([topic.name])
    until(lambda: not list_topics([bootstrap], [topic.name]), "the topic is gone")
    create_topics([bootstrap], wanted_topics(Settings(partitions=N_PARTITIONS)))


def publish_views(store: Store, name: str, *, n_each: int) -> list[Sent]:
    visitors = [f"{name}-{number}" for number in range(N_VISITORS)]
    return store.publish(*(view(who, f"p{n}") for n in range(n_each) for who in visitors))


def trails_of(sessions: dict[tuple[int, str], Session], name: str) -> dict[str, Sequence[str]]:
    """Return what each visitor of that *name* looked at."""
    return {
        who: session.trail.products
        for (_, who), session in sessions.items()
        if who.startswith(f"{name}-")
    }
