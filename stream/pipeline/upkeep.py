"""What is done because time passes: products looked at once a day, old state let go.

Time is event time: a replay of last year must neither expire at once nor wait a real day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from typing import Generic, Protocol, TypeVar

from stream.errors import PartitionRevoked
from stream.kafka.records import OutRecord
from stream.pipeline.event_clock import EventClock
from stream.pipeline.settling import Settling
from stream.ports import States
from stream.telemetry import Telemetry

Value = TypeVar("Value")


class KeptStates(States[Value], Protocol[Value]):
    """State whose keys can be gone through."""

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over a snapshot of the keys."""


class Store(Protocol[Value]):
    """The partitions of a store that this worker owns now."""

    @property
    def partitions(self) -> Iterable[int]: ...

    def __getitem__(self, partition: int) -> KeptStates[Value]: ...


class Round(Generic[Value]):
    """Visits every key of a store once per event day, some at a time.

    The keys of a partition are listed when its turn comes: listing touches each of them, which at
    a million takes as long as answering thousands of events.

    Args:
        visit: Gets the state of a partition and the keys whose turn it is.
        per_tick: Keys visited in one call at most.
    """

    def __init__(
        self,
        store: Store[Value],
        clock: EventClock,
        visit: Callable[[States[Value], list[bytes]], None],
        *,
        per_tick: int,
    ) -> None:
        self._store = store
        self._clock = clock
        self._visit = visit
        self._per_tick = per_tick
        self._day = 0
        self._left: Iterator[tuple[int, bytes]] | None = None

    def tick(self) -> None:
        """Visit the next keys; the round of another day begins when the last one is through."""
        if self._left is None and self._clock.today > self._day:
            self._day = self._clock.today
            self._left = self._keys()
        turn = list(islice(self._left or (), self._per_tick))
        if len(turn) < self._per_tick:
            self._left = None
        for partition, keys in groupby(turn, key=itemgetter(0)):
            try:
                self._visit(self._store[partition], [key for _, key in keys])
            except PartitionRevoked:
                continue

    def restart(self) -> None:
        """Begin anew: other partitions are owned now, and nobody visited their keys today."""
        self._day = 0
        self._left = None

    def _keys(self) -> Iterator[tuple[int, bytes]]:
        for partition in self._store.partitions:
            try:
                keys = iter(self._store[partition])
            except PartitionRevoked:
                continue
            yield from ((partition, key) for key in keys)


class Expiry(Generic[Value]):
    """Deletes what nothing happened to for too long, with a tombstone in the changelog.

    Args:
        name: Of the store, for the metric.
        is_expired: Whether a value is too old at an event time.
        also: Other topics in which a deleted key gets a tombstone, by making its record.
    """

    def __init__(
        self,
        name: str,
        is_expired: Callable[[Value, int], bool],
        clock: EventClock,
        *,
        settling: Settling,
        telemetry: Telemetry,
        also: Callable[[bytes], Iterable[OutRecord]] | None = None,
    ) -> None:
        self._name = name
        self._is_expired = is_expired
        self._clock = clock
        self._settling = settling
        self._telemetry = telemetry
        self._also = also

    def visit(self, states: States[Value], keys: list[bytes]) -> None:
        """Delete those of *keys* that are too old."""
        now_ms = self._clock.settled_ms(states.partition)
        expired = [key for key in keys if self._is_old(states.get(key), now_ms)]
        if not expired:
            return
        delete = partial(self._delete, states, expired, now_ms)
        if self._also is None:
            delete()
        else:
            tombstones = [record for key in expired for record in self._also(key)]
            self._settling.publish(tombstones, states, then=delete)

    def _delete(self, states: States[Value], keys: Iterable[bytes], now_ms: int) -> None:
        """Delete those of *keys* to which nothing happened meanwhile.

        After the tombstones: once a key is gone nobody knows that others are to be told.
        """
        expired = [key for key in keys if self._is_old(states.get(key), now_ms)]
        for key in expired:
            states.put(key, None)
        self._settling.flush(states)
        self._telemetry.state_expired.labels(self._name).inc(len(expired))

    def _is_old(self, value: Value | None, now_ms: int) -> bool:
        return value is not None and self._is_expired(value, now_ms)
