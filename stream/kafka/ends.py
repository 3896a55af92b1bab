"""How far topics go, told by the broker to somebody who reads nothing.

A consumer knows of an end only by its fetches: one that no longer fetches takes itself for one that
has read all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from faust.types import TP
from kafka import TopicPartition
from kafka.admin import OffsetSpec

from .administration import connected


async def end_offsets(
    bootstrap: Sequence[str],
    partitions: Collection[TP],
    *,
    security: Mapping[str, object] | None = None,
    timeout_s: float = 5.0,
) -> dict[TP, int]:
    """Return the offset behind the last record of each of *partitions* that is committed to be read.

    The embedded broker may answer with less, never with more.

    Raises:
        Misconfigured: No broker answers.
    """

    def ask() -> dict[TP, int]:
        wanted = {TopicPartition(*tp): OffsetSpec.LATEST for tp in partitions}
        with connected(bootstrap, security, timeout_s) as admin:
            found = admin.list_partition_offsets(
                wanted, isolation_level="read_committed", timeout_ms=int(timeout_s * 1000)
            )
        return {TP(*tp): at.offset for tp, at in found.items()}

    return await asyncio.to_thread(ask) if partitions else {}
