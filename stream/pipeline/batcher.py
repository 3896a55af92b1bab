"""Rows of all partitions gather while inference is busy, and leave at once when it is free.

So batching adapts by itself: at low load a row waits for nobody, at high load requests are full.
Beside a micro-batch at the model only a full one leaves: a part of one would queue at the server
behind the first, and take from the machine what a request costs.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from stream.errors import PartitionRevoked
from stream.pipeline.tickets import Ticket

Payload = TypeVar("Payload")
Scores = TypeVar("Scores")


class Row(Struct, Generic[Payload], eq=False):
    """One question to the model, and the record batches that wait for its answer.

    Attributes:
        key: The number of the state's partition, and the key under which it knows what is asked
            about. Two partitions know a visitor whom a producer spread over them: two questions.
    """

    key: tuple[int, bytes]
    payload: Payload
    tickets: tuple[Ticket, ...] = ()


class Work(Protocol[Payload, Scores]):
    """What becomes of a micro-batch."""

    async def score(self, rows: Sequence[Row[Payload]]) -> Scores:
        """Ask the model; several micro-batches may be here at the same time."""

    async def answer(self, rows: Sequence[Row[Payload]], scores: Scores) -> Awaitable[None]:
        """Decide and begin to publish, one micro-batch after the other, in order.

        Returns:
            What must come to an end before the rows count as answered.
        """


class Batcher(Generic[Payload, Scores]):
    """Forms micro-batches over all partitions and carries each through its work.

    Args:
        merge: Joins a waiting payload with a newer one of the same key (conflation);
            None gives every row its own answer.
        max_rows: Rows in a micro-batch at most.
        max_in_flight: Micro-batches at the model at the same time, all but the first of them full.
        max_unconfirmed: Micro-batches between leaving and confirmation.
        on_failure: Called with what no one expected; the worker must not go on.
    """

    def __init__(
        self,
        work: Work[Payload, Scores],
        *,
        merge: Callable[[Payload, Payload], Payload] | None,
        max_rows: int,
        max_in_flight: int,
        max_unconfirmed: int,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._work = work
        self._merge = merge
        self._max_rows = max_rows
        self._max_in_flight = max_in_flight
        self._max_unconfirmed = max_unconfirmed
        self._on_failure = on_failure
        self._waiting: deque[Row[Payload]] = deque()
        # Those a newer row may join; without merging there are none.
        self._by_key: dict[tuple[int, bytes], Row[Payload]] = {}
        self._n_scoring = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_turn: asyncio.Future[None] | None = None
        self._scheduled = False

    @property
    def n_waiting(self) -> int:
        """Rows that have not left yet."""
        return len(self._waiting)

    def add(self, *rows: Row[Payload]) -> None:
        """Queue *rows*, or join each with the waiting row of its key."""
        for ticket, n_rows in _tickets_of(rows).items():
            ticket.hold(n_rows)
        if self._merge is None:
            self._waiting.extend(rows)
        else:
            for row in rows:
                self._join(row, self._merge)
        self._schedule()

    def _join(self, row: Row[Payload], merge: Callable[[Payload, Payload], Payload]) -> None:
        waiting = self._by_key.setdefault(row.key, row)
        if waiting is row:
            self._waiting.append(row)
        else:
            waiting.payload = merge(waiting.payload, row.payload)
            waiting.tickets += row.tickets

    def forget(self) -> None:
        """Drop the rows that wait: their partitions were given back and are read again.

        Mixed with rows of the next assignment they would take those down with them.
        """
        self._waiting.clear()
        self._by_key.clear()

    async def stop(self) -> None:
        """Cancel what is under way; what was not confirmed is not completed."""
        self.forget()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _schedule(self) -> None:
        # On the next turn of the loop, so that rows added together leave together.
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._leave)

    def _leave(self) -> None:
        self._scheduled = False
        while self._may_leave():
            rows = self._taken()
            self._n_scoring += 1
            turn = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(self._carry(rows, self._last_turn, turn))
            self._last_turn = turn
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _taken(self) -> list[Row[Payload]]:
        """Take the rows that wait longest; those of their keys that come now join others."""
        waiting = self._waiting
        rows = [waiting.popleft() for _ in range(min(self._max_rows, len(waiting)))]
        if self._by_key:
            for row in rows:
                del self._by_key[row.key]
        return rows

    def _may_leave(self) -> bool:
        if not self._waiting or len(self._tasks) >= self._max_unconfirmed:
            return False
        is_full = len(self._waiting) >= self._max_rows
        return self._n_scoring < (self._max_in_flight if is_full else 1)

    async def _carry(
        self,
        rows: list[Row[Payload]],
        previous: asyncio.Future[None] | None,
        turn: asyncio.Future[None],
    ) -> None:
        try:
            try:
                scores = await self._work.score(rows)
            finally:
                self._n_scoring -= 1
                self._schedule()
            if previous is not None:
                await asyncio.shield(previous)
            unconfirmed = await self._work.answer(rows, scores)
        finally:
            turn.set_result(None)
        await unconfirmed
        for ticket, n_rows in _tickets_of(rows).items():
            ticket.release(n_rows)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        # A revoked partition is read again by its new owner: nothing to complete here.
        if error is not None and not isinstance(error, PartitionRevoked):
            self._on_failure(error)
        if self._waiting:
            self._schedule()


def _tickets_of(rows: Sequence[Row[Payload]]) -> Counter[Ticket]:
    """Return how many of *rows* each record batch waits for."""
    return Counter(chain.from_iterable([row.tickets for row in rows]))
