"""Effects, state and offsets are committed together or not at all, and by the owner only."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from faust.types import TP

from stream.errors import PartitionRevoked, PublishFailed
from stream.kafka.records import OutRecord
from stream.kafka.recovery import recover
from stream.kafka.store import Form, StateStore
from stream.kafka.transactions import TransactionalProducer, Transactions

pytestmark = pytest.mark.kafka

AS_IT_IS: Form[bytes] = Form(bytes, bytes)
#: An end for what the tests read: it is published outside of any transaction.
END = b"end"

_ordinals = itertools.count(1)


class Scene:
    """An input topic, its changelog and an output topic, of one partition each."""

    def __init__(self, bootstrap: str, topics: tuple[str, str, str]) -> None:
        self.bootstrap = bootstrap
        self.read, self.changelog, self.out = topics
        self.group_id = f"group-{next(_ordinals)}"
        self.tp = TP(self.read, 0)
        self.failures: list[BaseException] = []

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[tuple[Transactions, StateStore[bytes]]]:
        """A worker that owns the partition, with its state recovered."""
        store: StateStore[bytes] = StateStore(self.changelog, None, AS_IT_IS)
        transactions = Transactions(
            {self.read: store}, self._producer, on_failure=self.failures.append
        )
        await transactions.own([self.tp])
        try:
            store.open(0)
            await recover(store, [0], [self.bootstrap], cancelled=lambda: False, deadline_s=20)
            yield transactions, store
        finally:
            await transactions.stop()

    async def outputs(self) -> list[bytes]:
        """What a ``read_committed`` consumer sees of the output."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap)
        await producer.start()
        await producer.send_and_wait(self.out, END, partition=0)
        await producer.stop()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        await consumer.start()
        consumer.assign([TopicPartition(self.out, 0)])
        values: list[bytes] = []
        async with asyncio.timeout(20):
            while not values or values[-1] != END:
                values.append((await consumer.getone()).value)
        await consumer.stop()
        return [value for value in values if value != END]

    async def committed(self) -> int | None:
        """Where the group is to read on."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=self.group_id)
        await consumer.start()
        try:
            offset: int | None = await consumer.committed(TopicPartition(self.read, 0))
        finally:
            await consumer.stop()
        return offset

    def _producer(self, unit: str) -> TransactionalProducer:
        return TransactionalProducer(
            [self.bootstrap],
            transactional_id=f"{self.group_id}-{unit}",
            group_id=self.group_id,
            timeout_s=20,
            client_id="test",
        )

    def record(self, value: bytes) -> OutRecord:
        return OutRecord(self.out, 0, b"key", value)


@pytest.fixture
def scene(bootstrap: str, new_topic: Callable[[int], str]) -> Scene:
    return Scene(bootstrap, (new_topic(1), new_topic(1), new_topic(1)))


async def test_rule_4_exactly_once_effects_state_and_offset_are_committed_together(
    scene: Scene,
) -> None:
    async with scene.owner() as (transactions, store):
        for number in range(1, 4):
            store[0].put(b"k", b"%d" % number)
            store[0].collect([scene.record(b"%d" % number)])
            await transactions.commit(transactions.unit_of(scene.tp), {scene.tp: number})

    assert await scene.outputs() == [b"1", b"2", b"3"]
    assert await scene.committed() == 3
    async with scene.owner() as (_, recovered):
        assert {key: recovered[0].get(key) for key in recovered[0]} == {b"k": b"3"}
    assert not scene.failures


async def test_rule_4_exactly_once_owner_before_can_commit_nothing_once_there_is_another(
    scene: Scene,
) -> None:
    async with scene.owner() as (frozen, before):
        before[0].put(b"k", b"committed")
        await frozen.commit(frozen.unit_of(scene.tp), {scene.tp: 1})
        before[0].put(b"k", b"zombie")
        before[0].collect([scene.record(b"zombie")])

        async with scene.owner() as (_, after):
            with pytest.raises(PublishFailed, match="Fenced"):
                await frozen.commit(frozen.unit_of(scene.tp), {scene.tp: 2})
            assert after[0].get(b"k") == b"committed"

    assert await scene.outputs() == []
    assert await scene.committed() == 1


async def test_rule_4_exactly_once_what_a_dead_owner_left_open_is_aborted_before_anything_is_read(
    scene: Scene,
) -> None:
    """It sent all of it, offsets included, and died before it could commit."""
    async with scene.owner() as (transactions, store):
        store[0].put(b"k", b"kept")
        await transactions.commit(transactions.unit_of(scene.tp), {scene.tp: 1})
    dying = scene._producer(f"{scene.changelog}-0")
    await dying.start()
    connected = dying._connected()
    await connected.begin_transaction()
    await dying.publish([scene.record(b"never"), OutRecord(scene.changelog, 0, b"k", b"never")])
    await dying._send_offsets({scene.tp: 2})
    dying.abort()

    async with scene.owner() as (transactions, store):
        assert store[0].get(b"k") == b"kept"
        assert await scene.committed() == 1
        store[0].collect([scene.record(b"again")])
        await transactions.commit(transactions.unit_of(scene.tp), {scene.tp: 2})

    await dying.stop()
    assert await scene.outputs() == [b"again"]
    assert await scene.committed() == 2


async def test_rule_4_exactly_once_recovery_ends_behind_commit_and_abort_markers(
    scene: Scene,
) -> None:
    """Markers take offsets and bring no record: the last offsets of this changelog are such."""
    async with scene.owner() as (transactions, store):
        store[0].put(b"k", b"v")
        await transactions.commit(transactions.unit_of(scene.tp), {})
    for _ in range(3):
        dying = scene._producer(f"{scene.changelog}-0")
        await dying.start()
        await dying._connected().begin_transaction()
        await dying.publish([OutRecord(scene.changelog, 0, b"k", b"never")])
        dying.abort()
        await dying.stop()

    async with asyncio.timeout(20), scene.owner() as (_, store):
        assert {key: store[0].get(key) for key in store[0]} == {b"k": b"v"}


async def test_rule_4_exactly_once_disowned_unit_is_left_to_its_next_owner(scene: Scene) -> None:
    async with scene.owner() as (transactions, store):
        store[0].collect([scene.record(b"late")])
        transactions.disown()
        with pytest.raises(PartitionRevoked):
            await transactions.commit(transactions.unit_of(scene.tp), {scene.tp: 1})

    assert await scene.outputs() == []
    assert await scene.committed() is None


async def test_rule_4_exactly_once_only_what_was_there_at_the_call_is_part_of_a_transaction(
    scene: Scene,
) -> None:
    async with scene.owner() as (transactions, store):
        unit = transactions.unit_of(scene.tp)
        store[0].collect([scene.record(b"first")])
        under_way: Awaitable[None] = asyncio.ensure_future(transactions.commit(unit, {scene.tp: 1}))
        await asyncio.sleep(0)
        store[0].collect([scene.record(b"second")])
        await under_way

        assert await scene.outputs() == [b"first"]
        assert not transactions.is_settled(unit)
