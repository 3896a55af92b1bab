"""Which life of a topic it is: a topic that was deleted and created again has low offsets again."""

from __future__ import annotations

import asyncio
import time
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence

from stream.kafka.administration import topic_lives

#: Nodes hear of a new topic within milliseconds, on a busy machine within a second.
_TO_BE_HEARD_OF_S = 2.0
_ASK_AGAIN_S = 0.1


async def topic_epochs(
    bootstrap: Sequence[str],
    topics: Iterable[str],
    *,
    security: Mapping[str, object] | None = None,
) -> dict[str, int]:
    """Return each topic's epoch: the same while the topic lives, another once it is created again.

    A topic that is not there is asked for again, for a while, and has 0 then: a node that has not
    heard yet of a topic just created says the same, and records folded under 0 would be folded
    again under the topic's own epoch.

    Raises:
        Misconfigured: No broker answers.
    """
    names, deadline = list(topics), time.monotonic() + _TO_BE_HEARD_OF_S
    while True:
        lives = await asyncio.to_thread(topic_lives, bootstrap, names, security=security)
        known = {name: life for name, life in lives.items() if life.partitions}
        if known.keys() >= set(names) or time.monotonic() > deadline:
            return {
                name: epoch_of(known[name].topic_id if name in known else None) for name in names
            }
        await asyncio.sleep(_ASK_AGAIN_S)


def epoch_of(topic_id: str | None) -> int:
    """Fold a topic's UUID into 1 to 2**31 - 1; 0 where there is none (Apache Kafka before 2.8)."""
    if topic_id is None or uuid.UUID(str(topic_id)).int == 0:
        return 0
    return zlib.crc32(uuid.UUID(str(topic_id)).bytes) & 0x7FFFFFFF or 1
