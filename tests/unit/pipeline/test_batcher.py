from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Sequence
from functools import partial

import pytest

from stream.errors import PartitionRevoked
from stream.pipeline.batcher import Batcher, Row
from stream.pipeline.tickets import Ticket
from tests.unit.builders import Record
from tests.unit.pipeline.fakes import batch_of, is_complete, settled


class Work:
    """Scores when told; remembers in which order it was asked and answered."""

    def __init__(self) -> None:
        self.scoring: list[list[int]] = []
        self.answered: list[list[int]] = []
        self.gates: list[asyncio.Event] = []
        self.confirmed = asyncio.Event()
        self.confirmed.set()
        self.failure: Exception | None = None

    async def score(self, rows: Sequence[Row[int]]) -> list[int]:
        payloads = [row.payload for row in rows]
        self.scoring.append(payloads)
        gate = asyncio.Event()
        self.gates.append(gate)
        await gate.wait()
        if self.failure is not None:
            raise self.failure
        return payloads

    async def answer(self, rows: Sequence[Row[int]], scores: list[int]) -> Awaitable[None]:
        self.answered.append(scores)

        async def confirmation() -> None:
            await self.confirmed.wait()

        return confirmation()


@pytest.fixture
def failures() -> list[BaseException]:
    return []


@pytest.fixture
def work() -> Work:
    return Work()


def batcher_of(
    work: Work,
    failures: list[BaseException],
    *,
    max_rows: int = 4,
    max_in_flight: int = 1,
    conflate: bool = False,
) -> Batcher[int, list[int]]:
    return Batcher(
        work,
        merge=(lambda waiting, newer: waiting + newer) if conflate else None,
        max_rows=max_rows,
        max_in_flight=max_in_flight,
        max_unconfirmed=8,
        on_failure=failures.append,
    )


def row(payload: int, key: bytes = b"", tickets: Sequence[Ticket] = ()) -> Row[int]:
    return Row((0, key or str(payload).encode()), payload, tuple(tickets))


async def test_row_leaves_at_once_when_the_model_is_free(
    work: Work, failures: list[BaseException]
) -> None:
    batcher = batcher_of(work, failures)

    batcher.add(row(1))
    await settled()

    assert work.scoring == [[1]]
    await batcher.stop()


async def test_rows_added_together_leave_together(
    work: Work, failures: list[BaseException]
) -> None:
    batcher = batcher_of(work, failures)

    for payload in (1, 2, 3):
        batcher.add(row(payload))
    await settled()

    assert work.scoring == [[1, 2, 3]]
    await batcher.stop()


async def test_rows_gather_while_the_model_is_busy(
    work: Work, failures: list[BaseException]
) -> None:
    batcher = batcher_of(work, failures, max_rows=2)
    batcher.add(row(1))
    await settled()

    for payload in (2, 3, 4):
        batcher.add(row(payload))
    await settled()
    assert work.scoring == [[1]]
    work.gates[0].set()
    await settled()

    assert work.scoring == [[1], [2, 3]]
    await batcher.stop()


async def test_no_more_micro_batches_are_in_flight_than_allowed(
    work: Work, failures: list[BaseException]
) -> None:
    batcher = batcher_of(work, failures, max_rows=1, max_in_flight=2)

    for payload in (1, 2, 3):
        batcher.add(row(payload))
    await settled()

    assert work.scoring == [[1], [2]]
    await batcher.stop()


async def test_only_a_full_micro_batch_leaves_beside_another(
    work: Work, failures: list[BaseException]
) -> None:
    batcher = batcher_of(work, failures, max_rows=2, max_in_flight=2)
    batcher.add(row(1))
    await settled()

    batcher.add(row(2))
    await settled()
    assert work.scoring == [[1]]
    batcher.add(row(3))
    await settled()

    assert work.scoring == [[1], [2, 3]]
    await batcher.stop()


async def test_answers_go_out_in_the_order_in_which_rows_left(
    work: Work, failures: list[BaseException]
) -> None:
    batcher = batcher_of(work, failures, max_rows=1, max_in_flight=2)
    batcher.add(row(1))
    batcher.add(row(2))
    await settled()

    work.gates[1].set()
    await settled()
    assert work.answered == []
    work.gates[0].set()
    await settled()

    assert work.answered == [[1], [2]]


async def test_waiting_rows_of_one_key_become_one(
    work: Work, failures: list[BaseException]
) -> None:
    batcher = batcher_of(work, failures, conflate=True)

    batcher.add(row(1, b"ann"))
    batcher.add(row(10, b"ann"))
    await settled()

    assert work.scoring == [[11]]
    await batcher.stop()


async def test_without_conflation_each_row_is_answered(
    work: Work, failures: list[BaseException]
) -> None:
    batcher = batcher_of(work, failures)

    batcher.add(row(1, b"ann"))
    batcher.add(row(10, b"ann"))
    await settled()

    assert work.scoring == [[1, 10]]
    await batcher.stop()


async def test_batch_completes_when_its_last_row_is_confirmed(
    work: Work, failures: list[BaseException]
) -> None:
    ticket = Ticket(batch_of("t", [Record(b"")]))
    batcher = batcher_of(work, failures, max_rows=1)
    batcher.add(row(1, tickets=[ticket]))
    batcher.add(row(2, tickets=[ticket]))
    ticket.release()
    await settled()

    work.confirmed.clear()
    work.gates[0].set()
    await settled()
    work.gates[1].set()
    await settled()
    assert not is_complete(ticket.batch)
    work.confirmed.set()
    await settled()

    assert is_complete(ticket.batch)


async def test_conflated_row_completes_every_batch_that_waits_for_it(
    work: Work, failures: list[BaseException]
) -> None:
    tickets = [Ticket(batch_of("t", [Record(b"", offset=offset)])) for offset in (0, 1)]
    batcher = batcher_of(work, failures, conflate=True)
    for ticket in tickets:
        batcher.add(row(1, b"ann", [ticket]))
        ticket.release()
    await settled()

    work.gates[0].set()
    await settled()

    assert [ticket.batch.completed for ticket in tickets] == [True, True]


async def test_rows_added_in_one_call_hold_their_batch_each(
    work: Work, failures: list[BaseException]
) -> None:
    ticket = Ticket(batch_of("t", [Record(b"")]))
    batcher = batcher_of(work, failures, max_rows=2)
    batcher.add(*[row(payload, tickets=[ticket]) for payload in (1, 2, 3)])
    ticket.release()
    await settled()

    work.gates[0].set()
    await settled()
    assert not is_complete(ticket.batch)
    work.gates[1].set()
    await settled()

    assert is_complete(ticket.batch)
    assert work.answered == [[1, 2], [3]]


def test_completed_batch_is_let_go_of_at_once() -> None:
    class Kept:
        """Stands for the records of a batch."""

    kept, ticket = Kept(), Ticket(batch_of("t", [Record(b"")]))
    gone = weakref.ref(kept)
    ticket.last = partial(lambda *_: None, kept, ticket)
    del kept

    ticket.release()
    del ticket

    assert gone() is None


async def test_failure_is_reported_and_completes_nothing(
    work: Work, failures: list[BaseException]
) -> None:
    ticket = Ticket(batch_of("t", [Record(b"")]))
    batcher = batcher_of(work, failures)
    work.failure = ValueError("a bug")
    batcher.add(row(1, tickets=[ticket]))
    ticket.release()
    await settled()

    work.gates[0].set()
    await settled()

    assert (failures, ticket.batch.completed) == ([work.failure], False)


async def test_rows_of_partitions_given_back_do_not_leave_with_those_of_the_next_assignment(
    work: Work, failures: list[BaseException]
) -> None:
    batcher = batcher_of(work, failures, max_rows=4)
    batcher.add(row(1))
    await settled()
    batcher.add(row(2))

    batcher.forget()
    batcher.add(row(3))
    work.gates[0].set()
    await settled()

    assert work.scoring == [[1], [3]]
    await batcher.stop()


async def test_failed_micro_batch_does_not_hold_up_the_next(
    work: Work, failures: list[BaseException]
) -> None:
    batcher = batcher_of(work, failures, max_rows=1, max_in_flight=2)
    batcher.add(row(1))
    batcher.add(row(2))
    await settled()

    work.failure = PartitionRevoked("gone")
    work.gates[0].set()
    await settled()
    work.failure = None
    work.gates[1].set()
    await settled()

    assert (work.answered, failures) == ([[2]], [])
