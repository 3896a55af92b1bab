"""Three nodes of Apache Kafka do what production's do when one of them fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import RetriableError

from stream.bench.faults.wire import Wire
from stream.demo.reading import Progress
from stream.kafka.administration import Topic, create_topics, list_topics
from stream.local.apache_kafka import ApacheKafka, fetch_jars
from stream.local.children import free_port
from stream.local.kafka_cluster import OFFSETS, KafkaCluster
from stream.local.kafka_properties import Wiring
from tests.harness.fixtures import LEAKS_KNOWN
from tests.harness.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.slow, *LEAKS_KNOWN]

TOPIC = "test.cluster.v1"
#: Silence of three seconds, and a new controller before that if it was the controller's node.
REPLACED_S = 15.0


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """The wire to the second door of the first node."""
    with Wire(free_port()) as wire:
        yield wire


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, wire: Wire) -> Iterator[KafkaCluster]:
    wiring = Wiring(port=wire.target_port, proxy_port=wire.port)
    cluster = KafkaCluster(tmp_path_factory.mktemp("cluster"), fetch_jars(), wirings={1: wiring})
    try:
        cluster.start()
        create_topics(cluster.bootstrap.split(","), [Topic(TOPIC, 3, replication=3)])
        cluster.wait_in_sync()
        yield cluster
    finally:
        cluster.stop(0)


@pytest.fixture
def producer(cluster: KafkaCluster) -> Iterator[KafkaProducer]:
    producer = KafkaProducer(
        bootstrap_servers=cluster.bootstrap, acks="all", retries=1000, request_timeout_ms=3000
    )
    yield producer
    producer.close()


def test_every_topic_has_three_copies_and_a_write_needs_two(cluster: KafkaCluster) -> None:
    coordinator_of(cluster, "any group")

    topics = {topic.name: topic for topic in list_topics(cluster.bootstrap.split(","))}

    assert (topics[TOPIC].replication, topics[OFFSETS].replication) == (3, 3)
    assert topics[TOPIC].config["min.insync.replicas"] == "2"


@pytest.mark.parametrize("group", ["storestream", "a", "a group of words"])
def test_the_coordinator_of_a_group_owns_to_it_and_no_other_node_does(
    cluster: KafkaCluster, group: str
) -> None:
    named = coordinator_of(cluster, group)

    assert owners(cluster, group) == [named]


def test_clients_of_the_second_door_come_through_the_wire(
    cluster: KafkaCluster, wire: Wire
) -> None:
    leaders = [cluster.leader_of(TOPIC, partition) for partition in range(3)]
    before = wire.n_bytes

    producer = KafkaProducer(bootstrap_servers=wire.address, acks="all")
    producer.send(TOPIC, b"x" * 10_000, partition=leaders.index(1)).get(timeout=10)
    producer.close()

    assert wire.n_bytes - before > 10_000


@pytest.mark.parametrize(
    ("fault", "exit_code"),
    [(ApacheKafka.kill, -9), (ApacheKafka.freeze, None), (ApacheKafka.fill_disk, 1)],
)
def test_a_leader_at_fault_is_replaced_and_comes_back_in_sync(
    cluster: KafkaCluster,
    producer: KafkaProducer,
    fault: Callable[[ApacheKafka], None],
    exit_code: int | None,
) -> None:
    leader = cluster.leader_of(TOPIC, 0)
    assert leader is not None
    producer.send(TOPIC, b"before", partition=0).get(timeout=10)
    node = cluster.nodes[leader]

    fault(node)
    confirmed = producer.send(TOPIC, b"after", partition=0).get(timeout=REPLACED_S)
    meanwhile = cluster.leader_of(TOPIC, 0)
    out_of_sync = cluster.out_of_sync()
    until(lambda: node.child.returncode == exit_code, "it has ended, or is frozen")
    if node.child.alive:
        node.thaw()
    else:
        node.start()
    cluster.wait_in_sync(30)

    assert meanwhile != leader
    assert f"{TOPIC}[0]" in out_of_sync
    assert read(cluster, 0)[confirmed.offset - 1 :] == [b"before", b"after"]


def test_progress_is_told_by_the_next_coordinator_when_one_is_killed(
    cluster: KafkaCluster,
) -> None:
    group, committed = "progress", {TOPIC: 7}
    coordinator_of(cluster, group)
    commit(cluster, group, 7)
    progress = Progress(cluster.bootstrap, group)
    until(lambda: progress.committed() == committed, "it is committed")
    killed = cluster.coordinator_of(group)
    assert killed is not None

    cluster.nodes[killed].kill()
    until(
        lambda: cluster.coordinator_of(group) not in {killed, None},
        "another coordinates it",
        within_s=REPLACED_S,
    )
    until(lambda: progress.committed() == committed, "it says so", within_s=REPLACED_S)
    cluster.nodes[killed].start()
    cluster.wait_in_sync(30)
    until(lambda: progress.committed() == committed, "and goes on", within_s=REPLACED_S)
    progress.close()


def commit(cluster: KafkaCluster, group: str, offset: int) -> None:
    """Commit *offset* for *group*, of the topic's first partition."""
    consumer = KafkaConsumer(
        bootstrap_servers=cluster.bootstrap, group_id=group, enable_auto_commit=False
    )
    at = TopicPartition(TOPIC, 0)
    consumer.assign([at])
    consumer.commit({at: OffsetAndMetadata(offset, "", -1)})
    consumer.close()


def coordinator_of(cluster: KafkaCluster, group: str) -> int | None:
    """Ask for it until there is one: the first who does so has the topic of the offsets made."""
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)

    def has_offsets() -> bool:
        try:
            return admin.list_group_offsets(group) is not None
        except RetriableError:
            return False

    until(has_offsets, "the group has a coordinator that has loaded its groups")
    admin.close()
    return cluster.coordinator_of(group)


def owners(cluster: KafkaCluster, group: str) -> list[int]:
    """Return the nodes that describe *group*: any but its coordinator says that it is not."""
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    found = {
        node_id: admin.describe_groups([group], group_coordinator_id=node_id)[group]["error"]
        for node_id in cluster.nodes
    }
    admin.close()
    return [node_id for node_id, error in found.items() if "NotCoordinator" not in str(error)]


def read(cluster: KafkaCluster, partition: int) -> list[bytes]:
    consumer = KafkaConsumer(bootstrap_servers=cluster.bootstrap, auto_offset_reset="earliest")
    at = TopicPartition(TOPIC, partition)
    consumer.assign([at])
    [end] = consumer.end_offsets([at]).values()
    values: list[bytes] = []
    while len(values) < end:
        values += [record.value for record in consumer.poll(200).get(at, [])]
    consumer.close()
    return values
