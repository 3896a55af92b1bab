"""What the Faust peers share, as Faust's documentation writes it: the app and the messages."""

from __future__ import annotations

import os

import faust

PARTITIONS = int(os.environ.get("PEER_PARTITIONS", "4"))


def make_app() -> faust.App:
    """Return the app of the peer that the environment describes."""
    return faust.App(
        os.environ["PEER_APP"],
        broker="kafka://" + os.environ["PEER_BROKER"],
        store="memory://",
        datadir=os.environ.get("PEER_DATA"),
        topic_partitions=PARTITIONS,
        topic_replication_factor=1,
        table_standby_replicas=0,
        web_enabled=False,
        # The embedded broker lets a group join in 5 s with these, in 30 s with the defaults.
        broker_session_timeout=10,
        broker_heartbeat_interval=3,
        broker_rebalance_timeout=10,
    )


class Viewed(faust.Record, serializer="json", validation=True):
    """The fields of ``product_viewed`` that the work needs, checked as they are read."""

    event_id: str
    occurred_at_ms: int
    visitor_id: str
    product_id: str


class Cover(faust.Record, include_metadata=False):
    """The record that an answer is for."""

    topic: str
    partition: int
    first_offset: int
    last_offset: int


class Item(faust.Record, include_metadata=False):
    """One product of an answer."""

    rank: int
    product_id: str
    score: float
    reason: str


class Recommendation(faust.Record, serializer="json", include_metadata=False):
    """What goes out for each event: the message that ``store.recommendations.v1`` has."""

    recommendation_id: str
    visitor_id: str
    covers: list[Cover]
    items: list[Item]
    strategy: str
    model: str
    model_version: str
    degraded: bool
    created_at_ms: int
    as_of_ms: int
