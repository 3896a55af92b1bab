"""Nothing put is lost, nothing is written twice without need, nothing survives a revocation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import PartitionRevoked, PublishFailed
from stream.kafka.records import OutRecord
from stream.kafka.store import MAX_OPEN, Form, StatePartition, StateStore


class HeldPublisher:
    """Confirms nothing until told to; keeps every write it was given."""

    def __init__(self) -> None:
        self.writes: list[dict[bytes | None, bytes | None]] = []
        self._answers: list[asyncio.Future[None]] = []

    async def publish(self, records: Sequence[OutRecord]) -> None:
        self.writes.append({record.key: record.value for record in records})
        self._answers.append(asyncio.get_running_loop().create_future())
        await self._answers[-1]

    def confirm(self) -> None:
        self._answers[-1].set_result(None)

    def refuse(self) -> None:
        self._answers[-1].set_exception(PublishFailed("the broker is gone"))


def quoted(value: int) -> bytes:
    """A form in which no value looks like its bytes."""
    return b"<%d>" % value


def unquoted(stored: bytes) -> int:
    return int(stored[1:-1])


FORM: Form[int] = Form(quoted, unquoted)


class PromptPublisher:
    """Confirms at once, and keeps what a changelog would say in the end."""

    def __init__(self) -> None:
        self.values: dict[bytes | None, bytes] = {}

    async def publish(self, records: Sequence[OutRecord]) -> None:
        await asyncio.sleep(0)
        for record in records:
            if record.value is None:
                self.values.pop(record.key, None)
            else:
                self.values[record.key] = record.value


@pytest.fixture
def publisher() -> HeldPublisher:
    return HeldPublisher()


@pytest.fixture
def state(publisher: HeldPublisher) -> StatePartition[int]:
    return StateStore("changelog", publisher, FORM).open(0)


async def settled() -> None:
    """Give every task that can go on its turns."""
    for _ in range(10):
        await asyncio.sleep(0)


def begin(flush: Callable[[], Coroutine[None, None, None]]) -> asyncio.Task[None]:
    return asyncio.create_task(flush())


def test_put_is_read_at_once_and_none_deletes(state: StatePartition[int]) -> None:
    state.put(b"kept", 1)
    state.put(b"gone", 2)

    state.put(b"gone", None)

    assert {key: state.get(key) for key in state} == {b"kept": 1}
    assert state.get(b"gone") is None


async def test_keys_are_conflated_and_deletions_written(
    state: StatePartition[int], publisher: HeldPublisher
) -> None:
    state.put(b"a", 1)
    state.put(b"a", 2)
    state.put(b"b", None)

    flush = begin(state.flush)
    await settled()
    publisher.confirm()
    await flush

    assert publisher.writes == [{b"a": b"<2>", b"b": None}]


async def test_flush_returns_only_after_the_confirmation(
    state: StatePartition[int], publisher: HeldPublisher
) -> None:
    state.put(b"a", 1)

    flush = begin(state.flush)
    await settled()

    assert not flush.done()
    publisher.confirm()
    await flush


async def test_flush_of_nothing_writes_nothing(
    state: StatePartition[int], publisher: HeldPublisher
) -> None:
    state.restore(b"a", quoted(1))

    await state.flush()

    assert publisher.writes == []


async def test_calls_during_a_write_share_the_next_one(
    state: StatePartition[int], publisher: HeldPublisher
) -> None:
    state.put(b"a", 1)
    first = begin(state.flush)
    await settled()
    state.put(b"b", 2)
    second = begin(state.flush)
    await settled()
    state.put(b"c", 3)
    third = begin(state.flush)
    await settled()

    assert publisher.writes == [{b"a": b"<1>"}]
    publisher.confirm()
    await settled()
    assert (first.done(), second.done(), third.done()) == (True, False, False)
    publisher.confirm()
    await asyncio.gather(second, third)

    assert publisher.writes == [{b"a": b"<1>"}, {b"b": b"<2>", b"c": b"<3>"}]


async def test_flush_with_nothing_new_waits_for_the_write_under_way(
    state: StatePartition[int], publisher: HeldPublisher
) -> None:
    state.put(b"a", 1)
    first = begin(state.flush)
    await settled()
    second = begin(state.flush)
    await settled()

    assert not second.done()
    publisher.confirm()
    await asyncio.gather(first, second)


async def test_failed_write_is_told_to_all_who_wait_and_its_keys_stay_dirty(
    state: StatePartition[int], publisher: HeldPublisher
) -> None:
    state.put(b"a", 1)
    waiters = [begin(state.flush), begin(state.flush)]
    await settled()
    publisher.refuse()

    outcomes = await asyncio.gather(*waiters, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [PublishFailed, PublishFailed]

    retried = begin(state.flush)
    await settled()
    publisher.confirm()
    await retried
    assert publisher.writes == [{b"a": b"<1>"}, {b"a": b"<1>"}]


async def test_next_flush_writes_what_failed_with_what_is_new(
    state: StatePartition[int], publisher: HeldPublisher
) -> None:
    state.put(b"a", 1)
    failed = begin(state.flush)
    await settled()
    state.put(b"b", 2)
    following = begin(state.flush)
    await settled()

    publisher.refuse()
    await settled()
    publisher.confirm()
    await following

    assert isinstance(failed.exception(), PublishFailed)
    assert publisher.writes[-1] == {b"a": b"<1>", b"b": b"<2>"}


async def test_dropped_partition_releases_who_waits_and_takes_nothing_more(
    publisher: HeldPublisher,
) -> None:
    store = StateStore("changelog", publisher, FORM)
    state = store.open(3)
    state.put(b"a", 1)
    flush = begin(state.flush)
    await settled()

    store.drop(3)

    with pytest.raises(PartitionRevoked, match=r"changelog\[3\]"):
        await flush
    with pytest.raises(PartitionRevoked):
        state.put(b"a", 2)
    with pytest.raises(PartitionRevoked):
        await state.flush()
    with pytest.raises(PartitionRevoked):
        store[3]


async def test_cancelled_waiter_does_not_cancel_the_write(
    state: StatePartition[int], publisher: HeldPublisher
) -> None:
    state.put(b"a", 1)
    cancelled, patient = begin(state.flush), begin(state.flush)
    await settled()

    cancelled.cancel()
    await settled()
    publisher.confirm()

    await patient


def test_opening_again_begins_empty(publisher: HeldPublisher) -> None:
    store = StateStore("changelog", publisher, FORM)
    store.open(1).put(b"a", 1)

    store.open(1)

    assert len(store[1]) == 0
    assert store.partitions == (1,)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 9))),
            st.just("flush"),
        ),
        max_size=60,
    )
)
def test_changelog_equals_the_state_after_a_flush_whatever_came_before(
    steps: list[tuple[int, int | None] | str],
) -> None:
    async def run() -> None:
        publisher = PromptPublisher()
        state = StateStore("changelog", publisher, FORM).open(0)
        flushes = []
        for step in steps:
            if isinstance(step, tuple):
                state.put(b"%d" % step[0], step[1])
            else:
                flushes.append(begin(state.flush))
                await asyncio.sleep(0)

        await state.flush()
        await asyncio.gather(*flushes)

        held = {key: quoted(state.get(key) or 0) for key in state}
        assert publisher.values == held

    asyncio.run(run())


async def test_values_beyond_the_open_ones_are_read_from_their_bytes(
    state: StatePartition[int], publisher: HeldPublisher
) -> None:
    for number in range(MAX_OPEN + 1):
        state.put(b"%d" % number, number)
    flush = begin(state.flush)
    await settled()
    publisher.confirm()
    await flush

    assert [state.get(b"%d" % number) for number in (0, 1, MAX_OPEN)] == [0, 1, MAX_OPEN]


async def test_what_is_recovered_replaces_what_was_open(state: StatePartition[int]) -> None:
    state.put(b"a", 1)

    state.restore(b"a", quoted(2))

    assert state.get(b"a") == 2


async def test_without_a_publisher_what_was_put_and_collected_is_taken_once() -> None:
    store: StateStore[int] = StateStore("changelog", None, FORM)
    state, effect = store.open(0), OutRecord("answers", 0, b"a", b"answer")
    state.put(b"a", 1)
    state.collect([effect])
    await state.flush()
    before = state.is_settled

    taken = state.take()

    assert taken == [effect, OutRecord("changelog", 0, b"a", b"<1>")]
    assert (before, state.is_settled, state.take()) == (False, True, [])
    assert state.get(b"a") == 1


def test_given_back_state_neither_collects_nor_gives_anything() -> None:
    store: StateStore[int] = StateStore("changelog", None, FORM)
    state = store.open(0)
    state.collect([OutRecord("answers", 0, b"a", b"answer")])
    store.drop(0)

    with pytest.raises(PartitionRevoked):
        state.collect([])
    with pytest.raises(PartitionRevoked):
        state.take()
    assert state.is_settled
