"""Reading topics to their end with an independent client, kafka-python.

The end is taken from what the broker says beside the records it hands out: the embedded broker
answers a question for the end offset with the base of the last batch plus one. What was never
committed is left out, as every reader of these topics should.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, UnknownBrokerIdError

from stream.demo.ledger import Chunk

_POLL_MS = 200
_FETCH_WAIT_MS = 20
#: Of the coordinator; one that is gone keeps whoever asks it for so long.
_ANSWER_MS = 5_000


class TopicsReader:
    """Reads topics from their beginning, again and again up to what is there by then.

    Each reading is a consumer of its own, because a consumer remembers ends that it was told
    before its last pause, and takes them for the ends of now.
    """

    def __init__(self, bootstrap: str, topics: Mapping[str, int]) -> None:
        """*topics* says how many partitions each topic has."""
        self._bootstrap = bootstrap
        self._next = {
            TopicPartition(topic, partition): 0
            for topic, n_partitions in topics.items()
            for partition in range(n_partitions)
        }

    def rest(self, timeout_s: float = 60.0) -> Iterator[Chunk]:
        """What came since the last call, up to the end of every partition.

        Raises:
            TimeoutError: The end of some partition was not reached in *timeout_s*.
        """
        deadline = time.monotonic() + timeout_s
        with self._consumer() as consumer:
            while True:
                polled = consumer.poll(timeout_ms=_POLL_MS)
                for at, records in polled.items():
                    self._next[at] = records[-1].offset + 1
                    yield Chunk(at.topic, at.partition, records)
                behind = [] if polled else self._behind(consumer)
                if not polled and not behind:
                    self._quiet(consumer)
                    return
                if time.monotonic() > deadline:
                    raise TimeoutError(f"not read to the end in {timeout_s} s: {behind}")

    @contextmanager
    def _consumer(self) -> Iterator[KafkaConsumer]:
        consumer = KafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            # Checksums in pure Python take longer than all the rest, and this is loopback.
            check_crcs=False,
            max_poll_records=5000,
            max_partition_fetch_bytes=4 * 1024 * 1024,
            fetch_max_bytes=32 * 1024 * 1024,
            # Less than the last poll takes: a request for metadata that waits behind a fetch when
            # the consumer closes is logged as an error.
            fetch_max_wait_ms=_FETCH_WAIT_MS,
        )
        try:
            consumer.assign(list(self._next))
            for at, offset in self._next.items():
                consumer.seek(at, offset)
            yield consumer
        finally:
            consumer.close()

    def _quiet(self, consumer: KafkaConsumer) -> None:
        """Let everything under way be answered; closing beside it is logged as an error.

        The client closes its sockets under the thread that reads them. A broker answers each
        connection in order, so that nothing can follow the answer to a last question.
        """
        consumer.pause(*self._next)
        with suppress(KafkaError):
            consumer.end_offsets(list(self._next))

    def _behind(self, consumer: KafkaConsumer) -> list[TopicPartition]:
        ends = {at: consumer.highwater(at) for at in self._next}
        return [at for at, end in ends.items() if end is None or consumer.position(at) < end]


class Progress:
    """How far the worker has committed, as the broker says."""

    def __init__(self, bootstrap: str, group_id: str) -> None:
        self._group_id = group_id
        self._bootstrap = bootstrap
        self._admin: KafkaAdminClient | None = self._connected()

    def committed(self) -> dict[str, int]:
        """Records completed and committed, by topic, over all its partitions.

        Nothing is known while the coordinator is away, another takes over, or there is none yet: a
        broker without groups has none.

        Raises:
            KafkaError: One that does not pass by itself.
        """
        try:
            self._admin = self._admin or self._connected()
            offsets = self._admin.list_group_offsets(self._group_id)[self._group_id]
        except KafkaError as error:
            self.close()
            # The node that is gone may be unknown by now; no other error says so for good.
            if not error.retriable and not isinstance(error, UnknownBrokerIdError):
                raise
            return {}
        found: dict[str, int] = {}
        for at, committed in offsets.items():
            found[at.topic] = found.get(at.topic, 0) + max(0, committed.offset)
        return found

    def close(self) -> None:
        """Let go of the client, which asks for ever the coordinator that it found first."""
        admin, self._admin = self._admin, None
        if admin is not None:
            admin.close()

    def _connected(self) -> KafkaAdminClient:
        return KafkaAdminClient(bootstrap_servers=self._bootstrap, request_timeout_ms=_ANSWER_MS)
