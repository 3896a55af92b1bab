"""A consumer whose commits say of which life of the topic they are.

A topic that was deleted and created again has other records at the same offsets. Kafka forgets a
group's offsets with the topic, but not what is committed afterwards by a worker that did not
notice: whoever went on there would never read what lies before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from .membership import tell_of_membership
from .vigil import Vigil

log = structlog.get_logger(__name__)

_PREFIX = "epoch="


def marked(offset: int, epoch: int) -> OffsetAndMetadata:
    """Return *offset* as it is committed: with the epoch of its topic, where that is known."""
    return OffsetAndMetadata(offset, f"{_PREFIX}{epoch}" if epoch else "")


def is_of(committed: OffsetAndMetadata, epoch: int) -> bool:
    """Whether *committed* is of a topic of that *epoch*, as far as anybody can tell.

    Nobody can where the epoch is 0, or where there is no mark: a tool set the offset, an earlier
    release did, or the broker keeps no marks, as the embedded one does not.
    """
    metadata = committed.metadata or ""
    return not epoch or not metadata.startswith(_PREFIX) or metadata == f"{_PREFIX}{epoch}"


class EpochConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # mypy does not follow aiokafka
    """Marks what it commits, and takes no offset of another epoch for its own.

    Args:
        epochs: Asked for the epochs, by topic, under which records are read now.
        vigil: Told whether the group still knows us; None: nobody asks.
    """

    def __init__(
        self,
        *,
        epochs: Callable[[], Mapping[str, int]],
        vigil: Vigil | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._epochs = epochs
        self._vigil = vigil

    async def start(self) -> None:
        """Connect, and begin to join the group."""
        await super().start()
        if self._vigil is not None:
            tell_of_membership(self._coordinator, self._vigil)

    async def commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Commit *offsets*, each with the epoch of its topic in the place of its metadata."""
        epochs = self._epochs()
        await super().commit(
            {tp: marked(at.offset, epochs.get(tp.topic, 0)) for tp, at in offsets.items()}
        )

    async def committed(self, partition: TopicPartition) -> int | None:
        """Return the committed offset, None where there is none of this life of the topic."""
        found = await self._coordinator.fetch_committed_offsets([partition])
        committed = found.get(partition)
        if committed is None or committed.offset < 0:
            return None
        if not is_of(committed, self._epochs().get(partition.topic, 0)):
            log.error(
                "offset_of_an_earlier_topic",
                topic=partition.topic,
                partition=partition.partition,
                offset=committed.offset,
                metadata=committed.metadata,
            )
            return None
        offset: int = committed.offset
        return offset
