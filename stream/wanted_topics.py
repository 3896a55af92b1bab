"""The topic table as a broker is asked for it: partitions, copies and configuration by settings."""

from __future__ import annotations

from stream.kafka.administration import Topic
from stream.settings import Settings
from stream.topics import TOPICS, TopicSpec

#: Times are the broker's: a replay of last year must neither meet retention nor spoil latencies.
_APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}


def wanted_topics(settings: Settings) -> list[Topic]:
    """Return every topic as it should be; all have the same number of partitions.

    Co-partitioned topics need that, and for the others one number is one thing less to get wrong.
    """
    return [
        Topic(spec.name, settings.partitions, settings.replication, _config(spec, settings))
        for spec in TOPICS
    ]


def _config(spec: TopicSpec, settings: Settings) -> dict[str, str]:
    config = {"cleanup.policy": spec.cleanup, **_APPEND_TIME}
    if spec.retention_ms is not None:
        config["retention.ms"] = str(spec.retention_ms)
    if settings.min_insync_replicas > 1:
        config["min.insync.replicas"] = str(settings.min_insync_replicas)
    return config
