"""What is handed over for a partition leaves in order, and nobody hears of it too soon."""

from __future__ import annotations

import asyncio

from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import PublishFailed
from stream.kafka.outbox import Delivery, Outbox, largest
from stream.kafka.records import OutRecord

BATCH_BYTES = 250


def records(*values: int) -> list[OutRecord]:
    return [OutRecord("t", 0, b"key", b"%030d" % value) for value in values]


def filled(outbox: Outbox) -> list[int]:
    """The values of the next batch."""
    builder = BatchBuilder(BATCH_BYTES, 0)
    outbox.fill(builder)
    sent = MemoryRecords(bytes(builder._build()))
    return [int(record.value) for record in sent.next_batch()]


async def test_what_waits_leaves_in_one_batch_and_is_confirmed_together() -> None:
    outbox, first, second = Outbox("t", 0), Delivery(1), Delivery(1)
    outbox.put(records(1, 2), first)
    outbox.put(records(3), second)

    assert filled(outbox) == [1, 2, 3]
    assert not first.outcome.done()
    outbox.confirm()

    assert first.outcome.done()
    assert second.outcome.done()
    assert not outbox


async def test_delivery_of_two_batches_waits_for_the_second() -> None:
    outbox, delivery = Outbox("t", 0), Delivery(1)
    outbox.put(records(*range(8)), delivery)

    one = filled(outbox)
    outbox.confirm()
    assert not delivery.outcome.done()
    other = filled(outbox)
    outbox.confirm()

    assert one + other == list(range(8))
    assert delivery.outcome.done()


async def test_delivery_to_two_partitions_waits_for_both() -> None:
    here, there, delivery = Outbox("t", 0), Outbox("t", 1), Delivery(2)
    for outbox in (here, there):
        outbox.put(records(1), delivery)
        filled(outbox)

    here.confirm()
    assert not delivery.outcome.done()
    there.confirm()

    assert delivery.outcome.done()


async def test_what_is_withdrawn_does_not_leave_and_others_keep_their_place() -> None:
    outbox, gone, kept = Outbox("t", 0), Delivery(1), Delivery(1)
    outbox.put(records(*range(8)), gone)
    outbox.put(records(99), kept)
    begun = filled(outbox)

    outbox.withdraw(gone)

    assert begun == list(range(len(begun)))
    assert filled(outbox) == [99]
    outbox.confirm()
    assert kept.outcome.done()
    assert not gone.outcome.done()


async def test_failure_reaches_all_who_are_not_confirmed() -> None:
    outbox = Outbox("t", 0)
    confirmed, sent, waiting = Delivery(1), Delivery(1), Delivery(1)
    outbox.put(records(1), confirmed)
    filled(outbox)
    outbox.confirm()
    outbox.put(records(2), sent)
    filled(outbox)
    outbox.put(records(3), waiting)

    outbox.fail(PublishFailed("gone"))

    assert confirmed.outcome.exception() is None
    assert isinstance(sent.outcome.exception(), PublishFailed)
    assert isinstance(waiting.outcome.exception(), PublishFailed)
    assert not outbox
    assert outbox.failure is not None


@given(st.lists(st.one_of(st.integers(1, 12), st.sampled_from(["batch", "withdraw"]))))
def test_every_delivery_is_confirmed_with_its_last_record(steps: list[int | str]) -> None:
    async def run() -> None:
        outbox, waiting = Outbox("t", 0), dict[Delivery, list[int]]()
        expected: list[int] = []
        sent: list[int] = []
        for step in [*steps, *["batch"] * sum(each for each in steps if isinstance(each, int))]:
            if isinstance(step, int):
                values = list(range(len(expected) * 100, len(expected) * 100 + step))
                expected += values
                delivery = Delivery(1)
                waiting[delivery] = values
                outbox.put(records(*values), delivery)
            elif step == "withdraw" and waiting:
                delivery, values = waiting.popitem()
                outbox.withdraw(delivery)
                expected = [value for value in expected if value not in values or value in sent]
            elif outbox:
                sent += filled(outbox)
                outbox.confirm()
            for delivery, values in waiting.items():
                assert delivery.outcome.done() == (values[-1] in sent)
        assert sent == expected

    asyncio.run(run())


def test_no_batch_of_one_record_is_larger_than_said() -> None:
    heavy = OutRecord("t", 0, b"k" * 50, b"v" * 100, [("name", b"x" * 20), ("other", b"")])
    builder = BatchBuilder(1, 0)
    builder.append(timestamp=None, key=heavy.key, value=heavy.value, headers=list(heavy.headers))

    assert builder.size() <= largest([*records(1), heavy]) <= builder.size() + 60


def test_header_names_count_in_bytes() -> None:
    heavy = OutRecord("t", 0, None, b"", [("é" * 500, b"")])

    assert largest([heavy]) > 1_000
