"""The kinds of fault, by name; each strikes, mends what it broke, and returns."""

from __future__ import annotations

from collections.abc import Mapping

from stream.bench.faults.director import Kind
from stream.bench.faults.kinds import brokers, connections, inputs, topics, triton, workers

KINDS: Mapping[str, Kind] = {
    "worker_killed": workers.killed,
    "worker_terminated": workers.terminated,
    "worker_added": workers.added,
    "worker_removed": workers.removed,
    "worker_frozen": workers.frozen,
    "triton_killed": triton.killed,
    "triton_frozen": triton.frozen,
    "triton_without_models": triton.without_models,
    "triton_errors": triton.errors,
    "triton_slow": triton.slow,
    "triton_wrong_shapes": triton.wrong_shapes,
    "broker_killed": brokers.killed,
    "leader_killed": brokers.leader_killed,
    "disk_full": brokers.disk_full,
    "connection_cut": connections.cut,
    "connection_slowed": connections.slowed,
    "connection_stalled": connections.stalled,
    "producer_queue_full": connections.producer_queue_full,
    "topic_recreated": topics.recreated,
    "partitions_added": topics.partitions_added,
    "poison_input": inputs.poison,
}
