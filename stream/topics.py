"""Every topic, its key and how it is kept. No other module spells a topic name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Cleanup = Literal["delete", "compact"]
Key = Literal["visitor", "product", "source", "model", "situation"]
Direction = Literal["in", "internal", "out"]

WEEK_MS = 7 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic as it must be on the broker.

    ``co_partitioned`` names the group of topics that must have the same number of partitions.
    ``retention_ms`` is None for compacted topics: they keep the last record of each key.
    """

    name: str
    key: Key
    direction: Direction
    cleanup: Cleanup = "delete"
    retention_ms: int | None = WEEK_MS
    co_partitioned: str | None = None


EVENTS = TopicSpec("store.events.v1", "visitor", "in", co_partitioned="visitors")
ORDERS = TopicSpec("store.orders.v1", "visitor", "in", co_partitioned="visitors")
STOCK_LEVELS = TopicSpec("store.stock-levels.v1", "product", "in", co_partitioned="products")

STOCK_MOVEMENTS = TopicSpec(
    "store.stock-movements.v1", "product", "internal", co_partitioned="products"
)
PRODUCT_STATE = TopicSpec(
    "store.product-state.v1", "product", "internal", cleanup="compact", retention_ms=None
)
#: Which version of a model answers: see ``domain/rollouts.py``.
MODEL_ROLLOUTS = TopicSpec(
    "store.model-rollouts.v1", "model", "internal", cleanup="compact", retention_ms=None
)
SESSIONS_CHANGELOG = TopicSpec(
    "store.sessions.v1.changelog",
    "visitor",
    "internal",
    cleanup="compact",
    retention_ms=None,
    co_partitioned="visitors",
)
PRODUCTS_CHANGELOG = TopicSpec(
    "store.products.v1.changelog",
    "product",
    "internal",
    cleanup="compact",
    retention_ms=None,
    co_partitioned="products",
)
#: What was begun and by how many, and what is to be set aside: see ``kafka/notes.py``.
ATTEMPTS = TopicSpec(
    "store.attempts.v1", "source", "internal", cleanup="compact", retention_ms=None
)

RECOMMENDATIONS = TopicSpec("store.recommendations.v1", "visitor", "out")
#: Keyed by what is the matter and the product, in the product's partition: see ``domain/outputs.py``.
STOCK_ALERTS = TopicSpec(
    "store.stock-alerts.v1", "situation", "out", cleanup="compact", retention_ms=None
)


def dead_letter_name(topic: str) -> str:
    """Return the name of the topic that keeps what of *topic* could not be read or answered."""
    return f"{topic}.dead-letter"


def dead_letter_of(topic: TopicSpec) -> TopicSpec:
    """Return the topic beside *topic* for dead letters: same partitions, kept for four weeks."""
    name = dead_letter_name(topic.name)
    return TopicSpec(name, "source", "out", retention_ms=4 * WEEK_MS)


#: What was sent again of the dead letters; kept for longer than the letters are.
REPLAYS = TopicSpec("store.dead-letter-replays.v1", "source", "internal", retention_ms=6 * WEEK_MS)

INPUTS = (EVENTS, ORDERS, STOCK_LEVELS)
READ = (*INPUTS, STOCK_MOVEMENTS)
DEAD_LETTERS = tuple(dead_letter_of(topic) for topic in READ)
TOPICS = (
    *READ,
    PRODUCT_STATE,
    MODEL_ROLLOUTS,
    SESSIONS_CHANGELOG,
    PRODUCTS_CHANGELOG,
    ATTEMPTS,
    RECOMMENDATIONS,
    STOCK_ALERTS,
    *DEAD_LETTERS,
    REPLAYS,
)
#: What workers make their state from, or read into it: they cannot go on with another topic.
KEPT_BY_WORKERS = (
    *READ,
    PRODUCT_STATE,
    MODEL_ROLLOUTS,
    SESSIONS_CHANGELOG,
    PRODUCTS_CHANGELOG,
    ATTEMPTS,
)
