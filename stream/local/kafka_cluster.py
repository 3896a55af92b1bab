"""Apache Kafka as it runs in production: several nodes, each broker and controller, on loopback.

Three keep three copies of everything and confirm a write when two have it, so that one may go.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path

from stream.errors import LocalPartMissing
from stream.local.apache_kafka import ApacheKafka
from stream.local.children import free_port
from stream.local.kafka_metadata import ClusterView, view_of
from stream.local.kafka_properties import N_OFFSETS_PARTITIONS, Membership, Wiring

_HEAP_MB = 384
_POLL_S = 0.1
OFFSETS = "__consumer_offsets"


class KafkaCluster:
    """Nodes of Apache Kafka by id, from 1; faults are done to a node, questions asked of all.

    Attributes:
        nodes: Each may be killed, frozen, thawed, and started again on its data and its port.
    """

    def __init__(
        self,
        folder: Path,
        jars: Path,
        *,
        n_nodes: int = 3,
        wirings: Mapping[int, Wiring] | None = None,
    ) -> None:
        """Prepare the nodes; those in *wirings* have a second door, behind a proxy."""
        controllers = {node_id: free_port() for node_id in range(1, n_nodes + 1)}
        self.nodes: Mapping[int, ApacheKafka] = {
            node_id: ApacheKafka(
                folder / f"node-{node_id}",
                jars,
                membership=Membership(node_id, controllers),
                wiring=(wirings or {}).get(node_id),
                heap_mb=_HEAP_MB,
            )
            for node_id in controllers
        }

    @property
    def bootstrap(self) -> str:
        """``host:port`` of every node, comma-separated, known once they have started."""
        return ",".join(node.bootstrap for node in self.nodes.values())

    def start(self, timeout_s: float = 120.0) -> None:
        """Start all nodes; return once each answers and all see each other.

        Raises:
            LocalPartMissing: One ended, or not all was well in time.
        """
        deadline = time.monotonic() + timeout_s
        for node in self.nodes.values():
            node.launch()
        for node in self.nodes.values():
            node.wait_answering(deadline - time.monotonic())
        self.wait_in_sync(deadline - time.monotonic())

    def stop(self, timeout_s: float = 10.0) -> None:
        """End all nodes together; a second call does nothing.

        Without the others the last one could not hand over, and waits: so it is killed in the end.
        """
        nodes = [node for node in self.nodes.values() if node.started]
        for node in nodes:
            node.terminate()
        deadline = time.monotonic() + timeout_s
        for node in nodes:
            node.stop(max(0.0, deadline - time.monotonic()))

    # -- who does what

    def leader_of(self, topic: str, partition: int) -> int | None:
        """Return the id of the node that leads a partition, None while none does or none says."""
        at = topic, partition
        found = [view.partitions[at] for view in self._views() if at in view.partitions]
        return max(found, key=lambda each: each.epoch).leader if found else None

    def coordinator_of(self, group: str) -> int | None:
        """Return the id of the node that coordinates *group*, None while none does or none says.

        It leads the partition of the offsets' topic that the group's name hashes to, by
        ``GroupCoordinatorService.partitionFor`` of Apache Kafka 4.1.
        """
        return self.leader_of(OFFSETS, abs(_java_hash(group)) % N_OFFSETS_PARTITIONS)

    def wait_in_sync(self, timeout_s: float = 60.0) -> None:
        """Return once every node is there, and every partition has a leader and all its copies.

        Raises:
            LocalPartMissing: Not in *timeout_s*; says what was missing.
        """
        deadline = time.monotonic() + timeout_s
        while missing := self.out_of_sync():
            if time.monotonic() > deadline:
                raise LocalPartMissing(f"Not in sync in {timeout_s:.0f} s: {', '.join(missing)}")
            time.sleep(_POLL_S)  # bounded by the deadline; no node tells when copies have caught up

    def out_of_sync(self) -> list[str]:
        """Return which nodes and which partitions' copies are missing, as any of the nodes sees it.

        One that was frozen sees for a while what was so before.
        """
        views, everyone = self._views(), frozenset(self.nodes)
        silent = [] if len(views) == len(everyone) else ["the answer of each node"]
        return silent + sorted({what for view in views for what in view.lacks(everyone)})

    def _views(self) -> list[ClusterView]:
        """Return how the nodes that answer see the cluster."""
        views = []
        for node in self.nodes.values():
            if node.answering:
                with contextlib.suppress(OSError):
                    views.append(view_of(node.port))
        return views


def _java_hash(text: str) -> int:
    """Return ``String.hashCode``, for text of one UTF-16 unit a character."""
    value = 0
    for character in text:
        value = (31 * value + ord(character)) & 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
