"""Reading topics to their end with an independent client, kafka-python.

The end is taken from what the broker says beside the records it hands out: the embedded broker
answers a question for the end offset with the base of the last batch plus one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient

from stream.demo.ledger import Chunk

_POLL_MS = 200


class TopicsReader:
    """Reads topics from their beginning, again and again up to what is there by then."""

    def __init__(self, bootstrap: str, topics: Mapping[str, int]) -> None:
        """Assign every partition; *topics* says how many each topic has."""
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            # Checksums in pure Python take longer than all the rest, and this is loopback.
            check_crcs=False,
            max_poll_records=5000,
            max_partition_fetch_bytes=4 * 1024 * 1024,
            fetch_max_bytes=32 * 1024 * 1024,
        )
        self._partitions = [
            TopicPartition(topic, partition)
            for topic, n_partitions in topics.items()
            for partition in range(n_partitions)
        ]
        self._consumer.assign(self._partitions)
        self._consumer.seek_to_beginning()
        self._next = dict.fromkeys(self._partitions, -1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._consumer.close()

    def rest(self, timeout_s: float = 60.0) -> Iterator[Chunk]:
        """What came since the last call, up to the end of every partition.

        Raises:
            TimeoutError: The end of some partition was not reached in *timeout_s*.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            polled = self._consumer.poll(timeout_ms=_POLL_MS)
            for at, records in polled.items():
                self._next[at] = records[-1].offset + 1
                yield Chunk(at.topic, at.partition, records)
            if not polled and not self._behind():
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"not read to the end in {timeout_s} s: {self._behind()}")

    def _behind(self) -> list[TopicPartition]:
        return [at for at in self._partitions if not self._at_end(at)]

    def _at_end(self, at: TopicPartition) -> bool:
        end = self._consumer.highwater(at)
        return end is not None and max(self._next[at], 0) >= end


class Progress:
    """How far the worker has committed, as the broker says."""

    def __init__(self, bootstrap: str, group_id: str) -> None:
        self._group_id = group_id
        self._admin = KafkaAdminClient(bootstrap_servers=bootstrap)

    def committed(self) -> dict[str, int]:
        """Records completed and committed, by topic, over all its partitions."""
        offsets = self._admin.list_group_offsets(self._group_id)[self._group_id]
        found: dict[str, int] = {}
        for at, committed in offsets.items():
            found[at.topic] = found.get(at.topic, 0) + max(0, committed.offset)
        return found

    def close(self) -> None:
        self._admin.close()
