"""What was flushed comes back, every key of it, however it was cut into batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.errors import PartitionRevoked, RecoveryFailed
from stream.kafka.producer import BulkProducer
from stream.kafka.records import OutRecord
from stream.kafka.recovery import RecoveryReport, recover
from stream.kafka.store import Form, StatePartition, StateStore

pytestmark = pytest.mark.broker

#: Values that are stored as they are.
AS_IT_IS: Form[bytes] = Form(bytes, bytes)

Batches = list[list[tuple[int, bool]]]

batches_of_any_size = st.lists(
    st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=1, max_size=80),
    min_size=1,
    max_size=6,
)


def values_of(state: StatePartition[bytes]) -> dict[bytes, bytes | None]:
    return {key: state.get(key) for key in state}


async def recovered(
    bootstrap: str, changelog: str, publisher: BulkProducer, n_partitions: int = 1
) -> tuple[StateStore[bytes], RecoveryReport]:
    store = StateStore(changelog, publisher, AS_IT_IS)
    for partition in range(n_partitions):
        store.open(partition)
    report = await recover(
        store, range(n_partitions), [bootstrap], cancelled=lambda: False, deadline_s=20
    )
    return store, report


async def write_then_recover(bootstrap: str, changelog: str, batches: Batches) -> None:
    producer = BulkProducer([bootstrap], client_id="test")
    await producer.start()
    try:
        state = StateStore(changelog, producer, AS_IT_IS).open(0)
        for number, batch in enumerate(batches):
            for key, is_deleted in batch:
                state.put(b"%d" % key, None if is_deleted else b"%d of %d" % (key, number))
            await state.flush()

        store, _ = await recovered(bootstrap, changelog, producer)
    finally:
        await producer.stop()

    assert values_of(store[0]) == values_of(state)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=batches_of_any_size)
def test_every_key_comes_back_from_batches_of_any_size(
    bootstrap: str, new_topic: Callable[[int], str], batches: Batches
) -> None:
    asyncio.run(write_then_recover(bootstrap, new_topic(1), batches))


async def test_last_batch_of_many_records_comes_back_whole(
    bootstrap: str, producer: BulkProducer, new_topic: Callable[[int], str]
) -> None:
    """Tansu's ListOffsets would say 1 here: the base of the only batch plus one."""
    changelog = new_topic(1)
    await producer.publish([OutRecord(changelog, 0, b"%d" % n, b"v") for n in range(20_000)])

    store, report = await recovered(bootstrap, changelog, producer)

    assert (len(store[0]), report.records, report.keys) == (20_000, 20_000, 20_000)


async def test_partitions_are_recovered_apart_and_empty_ones_too(
    bootstrap: str, producer: BulkProducer, new_topic: Callable[[int], str]
) -> None:
    changelog = new_topic(3)
    await producer.publish([OutRecord(changelog, p, b"k", b"%d" % p) for p in (0, 2)])

    store, report = await recovered(bootstrap, changelog, producer, n_partitions=3)

    assert [values_of(store[p]) for p in range(3)] == [{b"k": b"0"}, {}, {b"k": b"2"}]
    assert report.keys == 2


async def test_recovery_ends_when_a_rebalance_overtakes_it(
    bootstrap: str, producer: BulkProducer, new_topic: Callable[[int], str]
) -> None:
    store = StateStore(new_topic(1), producer, AS_IT_IS)
    store.open(0)

    with pytest.raises(PartitionRevoked):
        await recover(store, [0], [bootstrap], cancelled=lambda: True, deadline_s=20)


async def test_deadline_names_what_was_not_read(
    bootstrap: str, producer: BulkProducer, new_topic: Callable[[int], str]
) -> None:
    changelog = new_topic(1)
    store = StateStore(changelog, producer, AS_IT_IS)
    store.open(0)

    with pytest.raises(RecoveryFailed, match=rf"{changelog}\[0\] not read to the end in 0 s"):
        await recover(store, [0], [bootstrap], cancelled=lambda: False, deadline_s=0)


async def test_missing_changelog_is_no_empty_one(bootstrap: str, producer: BulkProducer) -> None:
    store = StateStore("no.such.changelog", producer, AS_IT_IS)
    store.open(0)

    with pytest.raises(RecoveryFailed, match="got no such topic"):
        await recover(store, [0], [bootstrap], cancelled=lambda: False, deadline_s=20)


async def test_record_without_key_is_no_state(
    bootstrap: str, producer: BulkProducer, new_topic: Callable[[int], str]
) -> None:
    changelog = new_topic(1)
    await producer.publish([OutRecord(changelog, 0, None, b"v")])

    with pytest.raises(RecoveryFailed, match=rf"{changelog}\[0\]@0: Expected a key"):
        await recovered(bootstrap, changelog, producer)
