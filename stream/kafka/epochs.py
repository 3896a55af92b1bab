"""Which life of a topic it is: a topic that was deleted and created again has low offsets again."""

from __future__ import annotations

import asyncio
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence

from stream.kafka.administration import topic_ids


async def topic_epochs(
    bootstrap: Sequence[str],
    topics: Iterable[str],
    *,
    security: Mapping[str, object] | None = None,
) -> dict[str, int]:
    """Return each topic's epoch: the same while the topic lives, another once it is created again.

    Raises:
        Misconfigured: No broker answers.
    """
    ids = await asyncio.to_thread(topic_ids, bootstrap, list(topics), security=security)
    return {topic: epoch_of(topic_id) for topic, topic_id in ids.items()}


def epoch_of(topic_id: str | None) -> int:
    """Fold a topic's UUID into 1 to 2**31 - 1; 0 where there is none (Apache Kafka before 2.8)."""
    if topic_id is None or uuid.UUID(str(topic_id)).int == 0:
        return 0
    return zlib.crc32(uuid.UUID(str(topic_id)).bytes) & 0x7FFFFFFF or 1
