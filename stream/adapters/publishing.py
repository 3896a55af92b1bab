"""The two ways in which what records caused gets out: at once, or with the state, exactly once."""

from __future__ import annotations

from collections.abc import Coroutine
from itertools import chain
from typing import Any

from stream.kafka.producer import Publisher
from stream.ports import Effects


class AtOnce:
    """Publishes effects as they come: at least once, for a crash may come before the commit."""

    def __init__(self, producer: Publisher) -> None:
        self._producer = producer

    async def publish(self, effects: Effects) -> None:
        """Return when the broker has confirmed *effects*, and raise what the producer raises."""
        await self._producer.publish([*chain.from_iterable(effects.values())])


class WithState:
    """Leaves effects with the state of their partition, whose transaction takes them along."""

    def publish(self, effects: Effects) -> Coroutine[Any, Any, None]:
        """Keep *effects* at the call, and return what needs no pause.

        What the caller remembers before or next is part of the same transaction, also where another
        task awaits the return.

        Raises:
            PartitionRevoked: A partition is no longer ours, its new owner makes the effects again.
        """
        for states, records in effects.items():
            states.collect(records)
        return _nothing_more()


async def _nothing_more() -> None:
    """Return at once."""
