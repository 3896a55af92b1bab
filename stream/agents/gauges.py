"""What a worker's gauges show, once a second."""

from __future__ import annotations

from stream.agents.parts import Parts
from stream.kafka.consumer import BatchConsumer


def set_gauges(parts: Parts, consumer: BatchConsumer) -> None:
    """Set every gauge to what holds now."""
    telemetry, tracker = parts.telemetry, consumer.tracker
    telemetry.chunks_in_flight.set(tracker.in_flight)
    telemetry.bytes_in_flight.set(tracker.bytes_in_flight)
    telemetry.oldest_open_seconds.set(tracker.oldest_open_s())
    # What was revoked is told by its new owner; told by two, a sum over workers counts it twice.
    telemetry.committed_lag.clear()
    telemetry.state_keys.clear()
    committed = consumer.committed_offsets()
    for tp in consumer.assignment():
        end = consumer.highwater(tp)
        if end is not None:
            lag = telemetry.committed_lag.labels(tp.topic, str(tp.partition))
            lag.set(end - committed.get(tp, 0))
    for name, batcher in parts.batchers.items():
        telemetry.rows_waiting.labels(name).set(batcher.n_waiting)
    for store in (parts.sessions, parts.products):
        for partition in store.partitions:
            keys = telemetry.state_keys.labels(store.changelog, str(partition))
            keys.set(len(store[partition]))
