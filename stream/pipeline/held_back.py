"""Products whose alerts wait until their last message is old enough for another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import islice

from stream.domain.products import Product
from stream.errors import PartitionRevoked
from stream.pipeline.event_clock import EventClock
from stream.ports import States


class HeldBack:
    """Remembers when to look at a product again, and has it looked at.

    In memory only: after a restart, and after a rebalance, every product is looked at anyhow.

    Args:
        visit: Gets the state of a partition and the keys whose time has come.
        per_tick: Keys visited in one call at most.
    """

    def __init__(
        self,
        clock: EventClock,
        visit: Callable[[States[Product], list[bytes]], None],
        *,
        per_tick: int,
    ) -> None:
        self._clock = clock
        self._visit = visit
        self._per_tick = per_tick
        self._waiting: dict[tuple[int, bytes], tuple[int, States[Product]]] = {}

    def add(self, states: States[Product], key: bytes, again_ms: int) -> None:
        """Have the product of *key* looked at once event time is *again_ms*."""
        self._waiting[states.partition, key] = again_ms, states

    def tick(self) -> None:
        """Have those looked at whose time has come."""
        now_ms = self._clock.now_ms
        waiting = self._waiting.items()
        due = islice(
            (each for each, (again_ms, _) in waiting if again_ms <= now_ms), self._per_tick
        )
        by_states: defaultdict[States[Product], list[bytes]] = defaultdict(list)
        for each in list(due):
            _, states = self._waiting.pop(each)
            by_states[states].append(each[1])
        for states, keys in by_states.items():
            try:
                self._visit(states, keys)
            except PartitionRevoked:
                continue

    def restart(self) -> None:
        """Forget all: other partitions are owned now, and every product is looked at anew."""
        self._waiting.clear()
