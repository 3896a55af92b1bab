"""Faults of brokers: killed, or without room on their disk; then started again on their data."""

from __future__ import annotations

from stream.bench.faults.scene import Scene
from stream.errors import LocalPartMissing, PartDied
from stream.local.apache_kafka import ApacheKafka
from stream.topics import EVENTS, ORDERS

_DOWN_S = 5.0
_TO_HALT_S = 60.0
_START_S = 90.0


def killed(here: Scene) -> None:
    """``kill -9`` of some node."""
    _kill(here, here.random.choice(sorted(here.cluster.nodes)))


def leader_killed(here: Scene) -> None:
    """``kill -9`` of the node that leads a partition of a visitors' topic."""
    topic = here.random.choice((EVENTS, ORDERS)).name
    partition = here.random.randrange(here.settings.partitions)
    leader = here.cluster.leader_of(topic, partition)
    if leader is None:
        raise PartDied(f"{topic}[{partition}] has no leader to kill")
    _kill(here, leader)


def disk_full(here: Scene) -> None:
    """A node can write no more, and halts; its disk is free again when it is started."""
    node = here.cluster.nodes[here.random.choice(sorted(here.cluster.nodes))]
    node.fill_disk()
    for _ in here.until(_TO_HALT_S):
        if not node.child.alive:
            break
    halted = not node.child.alive
    if not halted:
        node.kill()
    here.hold(_DOWN_S)
    _start(here, node)
    if not halted:
        raise PartDied("the node with a full disk did not halt")


def _kill(here: Scene, node_id: int) -> None:
    node = here.cluster.nodes[node_id]
    node.kill()
    here.hold(_DOWN_S)
    _start(here, node)


def _start(here: Scene, node: ApacheKafka) -> None:
    """Start it, and wait until it has caught up: a second one down would stop all writes.

    Raises:
        PartDied: It does not come back.
    """
    try:
        node.start(_START_S)
        here.cluster.wait_in_sync(_START_S)
    except LocalPartMissing as error:
        raise PartDied(str(error)) from error
