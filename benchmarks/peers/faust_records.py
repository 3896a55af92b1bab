"""The messages of the Faust peers, as Faust's documentation writes them: the wire is ours."""

from __future__ import annotations

import faust


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
