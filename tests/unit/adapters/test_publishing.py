"""Effects get out at once, or stay with the state that caused them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from stream.adapters.publishing import AtOnce, WithState
from stream.errors import PartitionRevoked
from stream.kafka.records import OutRecord
from stream.kafka.store import Form, StatePartition, StateStore

TEXT: Form[str] = Form(str.encode, bytes.decode)


class Producer:
    def __init__(self) -> None:
        self.calls: list[list[OutRecord]] = []

    async def publish(self, records: Sequence[OutRecord]) -> None:
        self.calls.append(list(records))


def effect(value: bytes) -> OutRecord:
    return OutRecord("answers", 0, b"key", value)


@pytest.fixture
def states() -> tuple[StatePartition[str], StatePartition[str]]:
    store: StateStore[str] = StateStore("changelog", None, TEXT)
    return store.open(0), store.open(1)


async def test_at_once_is_one_call_for_all_states(
    states: tuple[StatePartition[str], StatePartition[str]],
) -> None:
    producer = Producer()

    await AtOnce(producer).publish({states[0]: [effect(b"a")], states[1]: [effect(b"b")]})

    assert producer.calls == [[effect(b"a"), effect(b"b")]]


def test_with_state_keeps_each_effect_without_a_pause(
    states: tuple[StatePartition[str], StatePartition[str]],
) -> None:
    """Driven by hand: a coroutine that paused would not end at its first step."""
    publishing = WithState().publish({states[0]: [effect(b"a")], states[1]: [effect(b"b")]})

    with pytest.raises(StopIteration):
        publishing.send(None)

    assert [state.take() for state in states] == [[effect(b"a")], [effect(b"b")]]


async def test_effect_of_a_state_that_was_given_back_is_left_to_its_new_owner(
    states: tuple[StatePartition[str], StatePartition[str]],
) -> None:
    states[0].drop()

    with pytest.raises(PartitionRevoked):
        await WithState().publish({states[0]: [effect(b"late")]})
