"""What a node of Apache Kafka is told at its start, as the text of its properties file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

N_OFFSETS_PARTITIONS = 4

_ANY_NODE = """\
node.id={node_id}
process.roles=broker,controller
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners={listeners}
advertised.listeners={advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,WIRED:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions={n_offsets_partitions}
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={min_in_sync}
transaction.state.log.num.partitions=4
default.replication.factor={copies}
min.insync.replicas={min_in_sync}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=2000
auto.create.topics.enable=false
"""

#: A node that fell silent is replaced within some five seconds instead of fifteen; what a node keeps
#: in memory and how many threads it has is for loopback and three nodes on one machine.
_ONE_OF_MANY = """\
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
controller.quorum.election.timeout.ms=1000
controller.quorum.election.backoff.max.ms=500
controller.quorum.fetch.timeout.ms=2000
controller.quorum.request.timeout.ms=1500
replica.lag.time.max.ms=4000
replica.socket.timeout.ms=3000
replica.fetch.wait.max.ms=200
log.cleaner.dedupe.buffer.size=4194304
num.network.threads=2
num.io.threads=4
"""


@dataclass(frozen=True, slots=True)
class Wiring:
    """A second door of a node, for clients that are to come through a proxy.

    Attributes:
        port: Where the node listens for the proxy.
        proxy_port: Where the proxy listens, and what the node tells clients that come by this door.
    """

    port: int
    proxy_port: int


@dataclass(frozen=True, slots=True)
class Membership:
    """A node's place among the nodes of its cluster.

    Attributes:
        controllers: The port of each node's controller, by node id; its own among them.
    """

    node_id: int
    controllers: Mapping[int, int]

    @property
    def copies(self) -> int:
        """Of offsets and transactions, and of topics that do not say."""
        return min(3, len(self.controllers))

    @property
    def min_in_sync(self) -> int:
        """Copies that a confirmed write has: all but one, so that one node may go."""
        return max(1, self.copies - 1)


def properties(
    membership: Membership, *, port: int, data: Path, wiring: Wiring | None = None
) -> str:
    """Return the properties of a node that listens on *port* and keeps what it holds in *data*."""
    own = {"PLAINTEXT": port}
    told = dict(own)
    if wiring is not None:
        own["WIRED"], told["WIRED"] = wiring.port, wiring.proxy_port
    own["CONTROLLER"] = membership.controllers[membership.node_id]
    text = _ANY_NODE.format(
        node_id=membership.node_id,
        voters=",".join(f"{id_}@127.0.0.1:{at}" for id_, at in membership.controllers.items()),
        listeners=_listed(own),
        advertised=_listed(told),
        data=data,
        n_offsets_partitions=N_OFFSETS_PARTITIONS,
        copies=membership.copies,
        min_in_sync=membership.min_in_sync,
    )
    return text if len(membership.controllers) == 1 else text + _ONE_OF_MANY


def _listed(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())
