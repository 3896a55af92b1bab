"""Exactly once: what a partition's records caused, its state and its offsets, in one transaction.

aiokafka commits offsets in a transaction without the group's generation (TxnOffsetCommit v0), so
the group cannot tell a worker that lost a partition from its owner. A transactional id for each
partition can: opening its producer anew aborts what the owner before left open, and refuses
whatever that one still sends. Owners open it before they read state and committed offsets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from faust.types import TP

from stream.errors import PartitionRevoked, PublishFailed

from .producer import BulkProducer
from .records import OutRecord
from .store import StateStore


class TransactionalProducer(BulkProducer):
    """Publishes records with the offsets of those that caused them: all of it, or nothing."""

    def __init__(
        self,
        bootstrap: Sequence[str],
        *,
        transactional_id: str,
        group_id: str,
        timeout_s: float,
        **options: Any,
    ) -> None:
        """Prepare a producer; :meth:`start` fences those that had its *transactional_id* before.

        *group_id* is whose offsets it commits. The broker aborts a transaction that is open for
        *timeout_s*, and :meth:`commit` gives up by then. *options* are those of ``BulkProducer``.
        """
        super().__init__(bootstrap, idempotent=True, delivery_timeout_s=timeout_s, **options)
        self._id = transactional_id
        self._group_id = group_id
        self._timeout_s = timeout_s
        self._options |= {
            "transactional_id": transactional_id,
            "transaction_timeout_ms": int(timeout_s * 1000),
        }

    async def start(self) -> None:
        """Connect, and return once no producer before this one can commit anything.

        Raises:
            PublishFailed: No broker answers, or it has no transactions.
        """
        try:
            await super().start()
        except PublishFailed as error:
            raise PublishFailed(
                f"{self._id}: exactly once needs a broker with transactions, such as Apache Kafka, "
                f"and the right to this transactional id: {error}"
            ) from error

    async def commit(self, records: Sequence[OutRecord], offsets: Mapping[TP, int]) -> None:
        """Return once *records* and *offsets* are committed together.

        Raises:
            PublishFailed: They may or may not be; another owner may have fenced this one. Nothing
                more can be committed here, and who opens the producer next finds out.
        """
        producer = self._connected()
        try:
            async with asyncio.timeout(self._timeout_s):
                await producer.begin_transaction()
                await asyncio.gather(self.publish(records), self._send_offsets(offsets))
                await producer.commit_transaction()
        except PublishFailed:
            raise
        except Exception as error:
            # aiokafka asserts where it cannot go on, and raises more than KafkaError.
            raise PublishFailed(f"{self._id}: not committed: {error!r}") from error

    async def _send_offsets(self, offsets: Mapping[TP, int]) -> None:
        if offsets:
            theirs = {TopicPartition(*tp): offset for tp, offset in offsets.items()}
            await self._connected().send_offsets_to_transaction(theirs, self._group_id)


class Unit(NamedTuple):
    """What is committed together: the topics that share a changelog, one partition of each."""

    changelog: str
    partition: int


class Transactions:
    """The producers of what this worker owns, one for each unit.

    Args:
        stores: Where the records of each topic leave their state, by topic. It has no publisher.
        new_producer: Gets a name for the unit, the same in every worker.
        on_failure: Ends the worker; what was folded can no longer be committed.
        timed: Entered around each transaction.
    """

    def __init__(
        self,
        stores: Mapping[str, StateStore[Any]],
        new_producer: Callable[[str], TransactionalProducer],
        *,
        on_failure: Callable[[BaseException], None],
        timed: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        self.on_failure = on_failure
        self._stores = stores
        self._by_changelog = {store.changelog: store for store in stores.values()}
        self._new_producer = new_producer
        self._timed = timed
        self._producers: dict[Unit, TransactionalProducer] = {}
        self._closing: set[asyncio.Task[None]] = set()
        #: Of the commits under way: to disown ends them.
        self._terms: set[asyncio.Timeout] = set()

    def unit_of(self, tp: TP) -> Unit:
        """Return what *tp* is committed with."""
        return Unit(self._stores[tp.topic].changelog, tp.partition)

    async def own(self, assigned: Iterable[TP]) -> None:
        """Return once whoever owned *assigned* before can commit nothing more, nor can we earlier.

        State and committed offsets must be read after this.

        Raises:
            PublishFailed: The broker does not answer, or knows no transactions.
        """
        self.disown()
        units = {self.unit_of(tp) for tp in assigned}
        opened = {unit: self._new_producer(f"{unit.changelog}-{unit.partition}") for unit in units}
        try:
            await asyncio.gather(*(producer.start() for producer in opened.values()))
        except BaseException:
            self._close(opened.values())
            raise
        self._producers = opened

    def disown(self) -> None:
        """Commit nothing more; what is under way ends as the broker decides, and nobody waits."""
        owned, self._producers = self._producers, {}
        self._close(owned.values())
        for term in self._terms:
            if not term.expired():
                term.reschedule(0)

    async def stop(self) -> None:
        """Disown everything, and return when all connections are closed."""
        self.disown()
        await asyncio.gather(*self._closing, return_exceptions=True)

    def is_settled(self, unit: Unit) -> bool:
        """Whether *unit* has nothing to commit but offsets; True where it is not owned."""
        try:
            return self._by_changelog[unit.changelog][unit.partition].is_settled
        except PartitionRevoked:
            return True

    async def commit(self, unit: Unit, offsets: Mapping[TP, int]) -> None:
        """Commit *offsets* with all that *unit* has by now; what it gets meanwhile is not part of it.

        An offset may have metadata with it, as aiokafka takes it.

        Raises:
            PartitionRevoked: *unit* is not owned, or was disowned meanwhile.
            PublishFailed: It may be committed or not.
        """
        states = self._by_changelog[unit.changelog][unit.partition]
        producer = self._producers.get(unit)
        if producer is None:
            raise PartitionRevoked(f"{unit} is not owned by this worker")
        self._terms.add(term := asyncio.timeout(None))
        try:
            with self._timed():
                async with term:
                    await producer.commit(states.take(), offsets)
        except (PublishFailed, TimeoutError) as error:
            if not self._gave_up(unit, producer):
                raise PartitionRevoked(f"{unit} was given to another worker") from error
            raise
        except BaseException:
            self._gave_up(unit, producer)
            raise
        finally:
            self._terms.discard(term)

    def _gave_up(self, unit: Unit, producer: TransactionalProducer) -> bool:
        """Commit nothing more of *unit*; False where that is so already.

        What was taken for a commit that failed is nowhere else: the next one would pass over it.
        """
        if self._producers.get(unit) is not producer:
            return False
        del self._producers[unit]
        self._close([producer])
        return True

    def _close(self, producers: Iterable[TransactionalProducer]) -> None:
        """Send nothing more; to disconnect may take as long as a request, and nobody waits for it."""
        for producer in producers:
            producer.abort()
            task = asyncio.create_task(producer.stop())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
