"""Asking one node of Apache Kafka who leads what.

A client asks any node that it has heard of, and waits ten seconds when that one is frozen; here
the one that answers is known, and so is how long it may take.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from kafka.protocol.metadata import MetadataRequest, MetadataResponse

#: Any of Apache Kafka 1.0 and later; the last without tagged fields is 8.
_VERSION = 7


@dataclass(frozen=True, slots=True)
class PartitionView:
    """A partition as one node sees it; ``leader`` is None while it has none.

    Attributes:
        epoch: Grows with each new leader: of two nodes' views the higher one is the later.
    """

    leader: int | None
    epoch: int
    copies: frozenset[int]
    in_sync: frozenset[int]


@dataclass(frozen=True, slots=True)
class ClusterView:
    """Nodes that are there and partitions by topic and number, as one node sees them."""

    nodes: frozenset[int]
    partitions: Mapping[tuple[str, int], PartitionView]

    def lacks(self, nodes: frozenset[int]) -> list[str]:
        """Return which of *nodes*, and of which partitions a leader or copies, are missing."""
        lagging = [
            f"{topic}[{partition}]"
            for (topic, partition), at in self.partitions.items()
            if at.leader is None or at.in_sync != at.copies
        ]
        return [f"node {node_id}" for node_id in sorted(nodes - self.nodes)] + lagging


def view_of(port: int, timeout_s: float = 2.0) -> ClusterView:
    """Ask the node on *port* of this machine.

    Raises:
        OSError: It does not answer, or closes the connection.
    """
    request = MetadataRequest(topics=None, allow_auto_topic_creation=False, version=_VERSION)
    request.with_header(correlation_id=1)
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
        connection.sendall(request.encode(header=True, framed=True))
        [size] = struct.unpack(">i", _read(connection, 4))
        payload = _read(connection, size)
    return _view(MetadataResponse.decode(payload, version=_VERSION, header=True))


def _read(connection: socket.socket, n_bytes: int) -> bytes:
    data = b""
    while len(data) < n_bytes:
        more = connection.recv(n_bytes - len(data))
        if not more:
            raise ConnectionError("it closed the connection in the middle of its answer")
        data += more
    return data


def _view(answer: MetadataResponse) -> ClusterView:
    return ClusterView(
        nodes=frozenset(broker.node_id for broker in answer.brokers),
        partitions={
            (topic.name, each.partition_index): PartitionView(
                leader=each.leader_id if each.leader_id >= 0 else None,
                epoch=each.leader_epoch,
                copies=frozenset(each.replica_nodes),
                in_sync=frozenset(each.isr_nodes),
            )
            for topic in answer.topics
            for each in topic.partitions
        },
    )
