"""What a record batch causes beside answers: published and durable before it is complete."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from stream.errors import PartitionRevoked
from stream.kafka.records import OutRecord
from stream.pipeline.tickets import Ticket
from stream.ports import Effects, Publisher, States


class Settling:
    """Publishes side effects and flushes state in the background, in the order of the calls.

    Args:
        on_failure: Called with what no one expected; the worker must not go on.
    """

    def __init__(self, publisher: Publisher, on_failure: Callable[[BaseException], None]) -> None:
        self._publisher = publisher
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[None]] = set()

    def settle(self, effects: Sequence[OutRecord], states: States[Any], ticket: Ticket) -> None:
        """Publish *effects*; when *ticket* waits for nothing else, make *states* durable.

        Not sooner: what other batches of the partition changed meanwhile is written with it, once
        for a key. Nobody but the commit waits for it.
        """
        ticket.last = partial(self._finish, states, ticket)
        if effects:
            ticket.hold()
            self._start(self._publish_for({states: effects}, ticket))
        ticket.release()

    def publish(
        self,
        effects: Sequence[OutRecord],
        states: States[Any],
        *,
        then: Callable[[], None] = lambda: None,
    ) -> None:
        """Publish *effects* of what *states* know that no record batch waits for; then do *then*."""
        if effects:
            self._start(self._publish_first({states: effects}, then))

    def flush(self, states: States[Any]) -> None:
        """Make *states* durable; no record batch waits for it."""
        self._start(states.flush())

    async def stop(self) -> None:
        """Cancel what is under way; what was not confirmed is not completed."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _publish_first(self, effects: Effects, then: Callable[[], None]) -> None:
        await self._publisher.publish(effects)
        then()

    async def _publish_for(self, effects: Effects, ticket: Ticket) -> None:
        await self._publisher.publish(effects)
        ticket.release()

    def _finish(self, states: States[Any], ticket: Ticket) -> None:
        self._start(_complete(states, ticket))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        # A revoked partition is read again by its new owner: nothing to complete here.
        if error is not None and not isinstance(error, PartitionRevoked):
            self._on_failure(error)


async def _complete(states: States[Any], ticket: Ticket) -> None:
    await states.flush()
    ticket.batch.complete()
