"""Publishing whole record batches, and knowing that the broker has them.

Per record, aiokafka's ``send`` makes a future; a batch builder makes one per record batch, which
is what a bulk changelog write and a micro-batch of outputs are.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from stream.errors import PublishFailed
from stream.kafka.outbox import Delivery, Outbox, largest
from stream.kafka.permission import Check, Permitted, allow, ask_before_sending, at_once
from stream.kafka.records import OutRecord

#: Below ``message.max.bytes`` of Apache Kafka (1,048,588), which holds for a whole record batch.
MAX_BATCH_BYTES = 1_000_000


class Publisher(Protocol):
    """Whatever confirms records; the store needs no more of the producer."""

    async def publish(self, records: Sequence[OutRecord]) -> None: ...


class BulkProducer:
    """Confirms records in bulk, in order per partition and without a gap.

    Concurrent calls to :meth:`publish` take their turn per partition in the order of the calls. A
    record batch is sent when the one before it is confirmed, with all that came meanwhile. After a
    failure the partition takes nothing more: whoever reads it takes a record for a sign that all
    before it are there.
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
        check: Check | None = None,
        permitted: Permitted | None = None,
        on_confirmed: Callable[[str, int], None] | None = None,
    ) -> None:
        """Prepare a producer; :meth:`start` connects.

        *idempotent*: a retry appends nothing twice; Apache Kafka can, Tansu cannot.
        *max_batch_bytes* bounds a record batch, and so a record. *delivery_timeout_s* bounds one
        ``publish``, its wait for its turn included. *security* takes aiokafka's
        ``security_protocol``, ``ssl_context`` and ``sasl_*``. *check* is called before each batch
        is sent, and raises ``PublishFailed`` where it must not be; *permitted* is awaited before each
        request, and returns once it may go out, or raises likewise. *on_confirmed* hears of each
        confirmed batch its topic and the number of its records.
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
        self._check = check or allow
        self._permitted = permitted or at_once
        self._on_confirmed = on_confirmed or _say_nothing
        self._outboxes: dict[tuple[str, int], Outbox] = {}
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
        ask_before_sending(producer.client, self._check, self._permitted)
        self._producer = producer

    async def stop(self) -> None:
        """Flush, for no longer than a delivery may take, and disconnect."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(producer.stop(), self._delivery_timeout_s)
        outboxes, self._outboxes = self._outboxes, {}
        for outbox in outboxes.values():
            outbox.fail(PublishFailed(f"{outbox}: the producer was stopped"))
            if outbox.sender is not None:
                outbox.sender.cancel()

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
        if not records:
            return
        outboxes, delivery = self._hand_over(records)
        try:
            async with asyncio.timeout(self._delivery_timeout_s):
                await asyncio.shield(delivery.outcome)
        except TimeoutError as error:
            if not delivery.outcome.done():
                raise self._given_up(outboxes, delivery, len(records)) from error
            delivery.outcome.result()  # it came while nobody looked
        except asyncio.CancelledError:
            for outbox in outboxes:
                outbox.withdraw(delivery)
            raise

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

    def _hand_over(self, records: Sequence[OutRecord]) -> tuple[list[Outbox], Delivery]:
        """Put *records* where they wait for their turn: all of them, or none."""
        self._connected()
        by_partition: defaultdict[tuple[str, int], list[OutRecord]] = defaultdict(list)
        for record in records:
            by_partition[record.topic, record.partition].append(record)
        outboxes = [self._outbox(*where, own) for where, own in by_partition.items()]
        delivery = Delivery(len(outboxes))
        for outbox, own in zip(outboxes, by_partition.values(), strict=True):
            outbox.put(own, delivery)
            outbox.sender = outbox.sender or asyncio.create_task(self._empty(outbox))
        return outboxes, delivery

    def _outbox(self, topic: str, partition: int, records: Sequence[OutRecord]) -> Outbox:
        """Return where *records* wait for their turn.

        Raises:
            PublishFailed: The partition failed before, or one of *records* is too large to be sent.
        """
        where = topic, partition
        outbox = self._outboxes.get(where)
        if outbox is None:
            outbox = self._outboxes[where] = Outbox(topic, partition)
        if outbox.failure is not None:
            raise PublishFailed(f"{outbox}: an earlier publish to it failed") from outbox.failure
        if (n_bytes := largest(records)) > self._max_batch_bytes:
            failure = PublishFailed(
                f"{outbox}: a record of {n_bytes} bytes does not fit into a batch of "
                f"{self._max_batch_bytes}"
            )
            outbox.fail(failure)
            raise failure
        return outbox

    async def _empty(self, outbox: Outbox) -> None:
        """Send what waits, a batch when the one before it is confirmed, until nothing does."""
        topic, partition = outbox.topic, outbox.partition
        try:
            producer = self._connected()
            await self._check_exists(producer, topic, partition)
            while outbox:
                self._check()
                batch = producer.create_batch()
                outbox.fill(batch)
                await (await producer.send_batch(batch, topic, partition=partition))
                self._on_confirmed(topic, batch.record_count())
                outbox.confirm()
        except PublishFailed as error:
            outbox.fail(error)
        except BaseException as error:
            failure = PublishFailed(f"{outbox}: refused: {error!r}")
            failure.__cause__ = error
            outbox.fail(failure)
            if not isinstance(error, Exception):
                raise
        finally:
            outbox.sender = None

    def _given_up(
        self, outboxes: Sequence[Outbox], delivery: Delivery, n_records: int
    ) -> PublishFailed:
        """Fail where *delivery* is not confirmed: what comes after it must not be appended."""
        reason = f"{n_records} records not confirmed in {self._delivery_timeout_s} s"
        open_ = [outbox for outbox in outboxes if outbox.owes(delivery)]
        for outbox in open_:
            outbox.fail(PublishFailed(f"{outbox}: {reason}"))
        return PublishFailed(f"{', '.join(map(str, open_))}: {reason}")

    @staticmethod
    async def _check_exists(producer: AIOKafkaProducer, topic: str, partition: int) -> None:
        n_partitions = len(await producer.partitions_for(topic))
        if partition >= n_partitions:
            raise PublishFailed(f"{topic}[{partition}]: the topic has {n_partitions} partitions")


def _say_nothing(topic: str, n_records: int) -> None:
    """Tell nobody."""
