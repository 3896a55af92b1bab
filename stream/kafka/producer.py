"""Publishing whole record batches, and knowing that the broker has them.

Per record, aiokafka's ``send`` makes a future; a batch builder makes one per record batch, which
is what a bulk changelog write and a micro-batch of outputs are.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from stream.errors import PublishFailed
from stream.kafka.records import OutRecord

#: Below ``message.max.bytes`` of Apache Kafka (1,048,588), which holds for a whole record batch.
MAX_BATCH_BYTES = 1_000_000


class Publisher(Protocol):
    """Whatever confirms records; the store needs no more of the producer."""

    async def publish(self, records: Sequence[OutRecord]) -> None: ...


class BulkProducer:
    """Confirms records in bulk, in order per partition and without a gap.

    Concurrent calls to :meth:`publish` take their turn per partition in the order of the calls, and
    a record batch is sent when the one before it is confirmed. After a failure the partition takes
    nothing more: whoever reads it takes a record for a sign that all before it are there.
    Records are stamped when they are handed over: append time, never event time.
    """

    def __init__(
        self,
        bootstrap: Sequence[str],
        *,
        client_id: str,
        idempotent: bool = False,
        max_batch_bytes: int = MAX_BATCH_BYTES,
        linger_ms: int = 0,
        request_timeout_s: float = 30.0,
        delivery_timeout_s: float = 60.0,
        security: Mapping[str, object] | None = None,
        check: Callable[[], None] | None = None,
    ) -> None:
        """Prepare a producer; :meth:`start` connects.

        *idempotent*: a retry appends nothing twice; Apache Kafka can, Tansu cannot.
        *max_batch_bytes* bounds a record batch, and so a record. *delivery_timeout_s* bounds one
        ``publish``, its wait for its turn included. *security* takes aiokafka's
        ``security_protocol``, ``ssl_context`` and ``sasl_*``. *check* is called before each batch
        is sent, and raises ``PublishFailed`` where it must not be.
        """
        self._options: dict[str, object] = {
            "bootstrap_servers": list(bootstrap),
            "client_id": client_id,
            "acks": "all",
            "enable_idempotence": idempotent,
            "max_batch_size": max_batch_bytes,
            "linger_ms": linger_ms,
            "request_timeout_ms": int(request_timeout_s * 1000),
            **(security or {}),
        }
        self._max_batch_bytes = max_batch_bytes
        self._delivery_timeout_s = delivery_timeout_s
        self._check = check or _allow
        self._turns: defaultdict[tuple[str, int], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._failed: set[tuple[str, int]] = set()
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect.

        Raises:
            PublishFailed: No broker answers.
        """
        producer = AIOKafkaProducer(**self._options)
        try:
            await producer.start()
        except KafkaError as error:
            await producer.stop()
            servers = self._options["bootstrap_servers"]
            raise PublishFailed(f"No broker to publish to at {servers}: {error!r}") from error
        self._guard(producer)
        self._producer = producer

    def _guard(self, producer: AIOKafkaProducer) -> None:
        """Ask *check* once more where a request goes to the socket.

        What was queued before a silence is sent after it otherwise: aiokafka's sender is a task of
        its own, and may well be the first to run.
        """
        send, check = producer.client.send, self._check

        async def checked(*arguments: Any, **options: Any) -> Any:
            check()
            return await send(*arguments, **options)

        producer.client.send = checked

    async def stop(self) -> None:
        """Flush, for no longer than a delivery may take, and disconnect."""
        producer, self._producer = self._producer, None
        self._failed.clear()
        if producer is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(producer.stop(), self._delivery_timeout_s)

    def abort(self) -> None:
        """Send nothing more, not even again; :meth:`stop` is still to be called."""
        producer = self._producer
        if producer is not None:
            # aiokafka retries by itself; without its sender there is nobody who could.
            producer._sender.sender_task.cancel()  # noqa: SLF001

    async def publish(self, records: Sequence[OutRecord]) -> None:
        """Return when the broker has confirmed all *records*; none is sent twice by this call.

        Raises:
            PublishFailed: Some were not confirmed; the other partitions' records may well be. Every
                later record for a partition that failed raises it too.
        """
        by_partition: defaultdict[tuple[str, int], list[OutRecord]] = defaultdict(list)
        for record in records:
            by_partition[record.topic, record.partition].append(record)
        outcomes = await asyncio.gather(
            *(self._publish_to(*where, own) for where, own in by_partition.items()),
            return_exceptions=True,
        )
        for outcome in outcomes:
            if outcome is not None:
                raise outcome

    async def partitions_for(self, topic: str) -> int:
        """Return how many partitions *topic* has.

        Raises:
            PublishFailed: The broker does not know the topic, or does not answer.
        """
        try:
            return len(await self._connected().partitions_for(topic))
        except KafkaError as error:
            raise PublishFailed(f"{topic}: its partitions are unknown: {error!r}") from error

    def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise PublishFailed("The producer is not connected: never started, or stopped already.")
        return self._producer

    async def _publish_to(self, topic: str, partition: int, records: list[OutRecord]) -> None:
        where = f"{topic}[{partition}]"
        try:
            async with asyncio.timeout(self._delivery_timeout_s):
                await self._send_in_turn(topic, partition, records)
        except TimeoutError as error:
            # Also when it was not its turn yet: what comes after it must not be appended.
            self._failed.add((topic, partition))
            raise PublishFailed(
                f"{where}: {len(records)} records not confirmed in {self._delivery_timeout_s} s"
            ) from error
        except KafkaError as error:
            raise PublishFailed(f"{where}: {len(records)} records refused: {error!r}") from error

    async def _send_in_turn(self, topic: str, partition: int, records: list[OutRecord]) -> None:
        """Send one batch after the other under the partition's lock, which is fair."""
        producer = self._connected()
        where = topic, partition
        async with self._turns[where]:
            if where in self._failed:
                raise PublishFailed(f"{topic}[{partition}]: an earlier publish to it failed")
            try:
                await self._check_exists(producer, topic, partition)
                for batch in list(self._batches(producer, records)):
                    # Not queued before: aiokafka would append it although this one fails.
                    self._check()
                    await (await producer.send_batch(batch, topic, partition=partition))
            except Exception:
                self._failed.add(where)
                raise

    @staticmethod
    async def _check_exists(producer: AIOKafkaProducer, topic: str, partition: int) -> None:
        n_partitions = len(await producer.partitions_for(topic))
        if partition >= n_partitions:
            raise PublishFailed(f"{topic}[{partition}]: the topic has {n_partitions} partitions")

    def _batches(
        self, producer: AIOKafkaProducer, records: list[OutRecord]
    ) -> Iterator[BatchBuilder]:
        """Fill batches in order; a builder takes its first record whatever its size."""
        batch = producer.create_batch()
        for record in records:
            if not _append(batch, record):
                yield batch
                batch = producer.create_batch()
                _append(batch, record)
            if batch.size() > self._max_batch_bytes:
                raise PublishFailed(
                    f"{record.topic}[{record.partition}]: a record of {batch.size()} bytes "
                    f"does not fit into a batch of {self._max_batch_bytes}"
                )
        yield batch


def _allow() -> None:
    """Let every batch be sent."""


def _append(batch: BatchBuilder, record: OutRecord) -> bool:
    """Add *record*, stamped now; False when the batch is full."""
    metadata = batch.append(
        timestamp=None, key=record.key, value=record.value, headers=list(record.headers)
    )
    return metadata is not None
