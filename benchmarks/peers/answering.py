"""The answer that every peer gives, where it has no types of its own for it: a dict.

The message that ``store.recommendations.v1`` has: ten products, the visitor's latest and then best
sellers, and what it covers. The bench decodes each answer strictly, as our own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

#: Products that a session keeps.
KEPT = 50
SHOWN = 10
#: Fill the answers of a visitor who has not seen ten products yet.
BEST_SELLERS = [str(100_000 + number) for number in range(SHOWN)]


def recommendation(
    view: dict[str, object], latest: Sequence[str], *, at: tuple[str, int, int]
) -> dict[str, object]:
    """Answer one *view*, read at topic, partition and offset *at*; *latest* has the newest last."""
    topic, partition, offset = at
    products = [*latest[: -SHOWN - 1 : -1], *BEST_SELLERS][:SHOWN]
    return {
        "recommendation_id": f"{topic}/{partition}/{offset}",
        "visitor_id": view["visitor_id"],
        "covers": [
            {
                "topic": topic,
                "partition": partition,
                "first_offset": offset,
                "last_offset": offset,
            }
        ],
        "items": [
            {
                "rank": rank,
                "product_id": product_id,
                "score": round(1 / rank, 6),
                "reason": "viewed lately",
            }
            for rank, product_id in enumerate(products, start=1)
        ],
        "strategy": "trending",
        "model": "counts",
        "model_version": "",
        "degraded": True,
        "created_at_ms": int(time.time() * 1000),
        "as_of_ms": view["occurred_at_ms"],
    }
