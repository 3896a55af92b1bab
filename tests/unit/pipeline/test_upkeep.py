from __future__ import annotations

from collections.abc import Iterator

import pytest

from stream.domain.calendar import DAY_MS
from stream.errors import PartitionRevoked
from stream.pipeline.event_clock import EventClock
from stream.pipeline.upkeep import Round
from stream.ports import States
from tests.unit.pipeline.fakes import KeptStates


class Keys(KeptStates):
    """The keys of a partition; counts how often they were listed."""

    def __init__(self, partition: int, *keys: bytes) -> None:
        super().__init__(partition)
        self.values = dict.fromkeys(keys, 1)
        self.n_listed = 0

    def __iter__(self) -> Iterator[bytes]:
        self.n_listed += 1
        return super().__iter__()


class Partitions(dict[int, Keys]):
    """A store that owns what is in it."""

    @property
    def partitions(self) -> tuple[int, ...]:
        return tuple(self)

    def __missing__(self, partition: int) -> Keys:
        raise PartitionRevoked(f"{partition} is not owned")


class Rounds:
    """A round two keys at a time, and what it visited."""

    def __init__(self) -> None:
        self.store = Partitions({0: Keys(0, b"a", b"b", b"c"), 1: Keys(1, b"d", b"e")})
        self.visited: list[bytes] = []
        self.clock = EventClock()
        self.round = Round(self.store, self.clock, self._visit, per_tick=2)

    def on_day(self, day: int) -> Rounds:
        self.clock.observe("events", 0, day * DAY_MS)
        return self

    def tick(self, times: int) -> None:
        for _ in range(times):
            self.round.tick()

    def _visit(self, states: States[int], keys: list[bytes]) -> None:
        self.visited += keys


@pytest.fixture
def rounds() -> Rounds:
    return Rounds().on_day(3)


def test_each_key_is_visited_once_a_day(rounds: Rounds) -> None:
    rounds.tick(10)
    first_day = list(rounds.visited)
    rounds.on_day(4).tick(10)

    assert first_day == [b"a", b"b", b"c", b"d", b"e"]
    assert rounds.visited == first_day * 2


def test_keys_are_listed_when_the_turn_comes_to_their_partition(rounds: Rounds) -> None:
    rounds.tick(1)

    assert [keys.n_listed for keys in rounds.store.values()] == [1, 0]


def test_round_passes_over_a_partition_that_was_given_away(rounds: Rounds) -> None:
    rounds.tick(1)
    del rounds.store[1]
    rounds.tick(5)

    assert rounds.visited == [b"a", b"b", b"c"]


def test_new_assignment_begins_the_round_anew(rounds: Rounds) -> None:
    rounds.tick(1)
    rounds.round.restart()
    rounds.tick(10)

    assert rounds.visited == [b"a", b"b", b"a", b"b", b"c", b"d", b"e"]
