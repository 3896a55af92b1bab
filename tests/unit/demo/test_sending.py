from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence

from stream.demo.pacing import Pace
from stream.demo.replay import Outgoing
from stream.demo.sending import Replayed, Sender, replay
from stream.kafka.records import OutRecord
from stream.topics import ORDERS, STOCK_MOVEMENTS


class Kept:
    """A publisher that keeps what it confirms; it may stop the replay after some."""

    def __init__(self) -> None:
        self.records: list[OutRecord] = []
        self.n_before_stop: int | None = None
        self.stop = asyncio.Event()

    async def publish(self, records: Sequence[OutRecord]) -> None:
        self.records.extend(records)
        if self.n_before_stop is not None and len(self.records) >= self.n_before_stop:
            self.stop.set()


def make_outgoing(number: int, *, simulated: bool = True, n_moved: int = 0) -> Outgoing:
    record = OutRecord(ORDERS.name, 0, b"v", str(number).encode())
    return Outgoing(record, "order_completed", simulated, number, n_moved)


def make_days(n_a_day: int) -> Iterator[list[Outgoing]]:
    number = 0
    while True:
        yield [make_outgoing(number + i) for i in range(n_a_day)]
        number += n_a_day


async def run(kept: Kept, pace: Pace, *, seconds: float | None = None) -> Replayed:
    replayed = Replayed()
    await replay(
        make_days(7),
        Sender(kept),
        pace,
        seconds=seconds,
        lag=lambda: 0,
        stop=kept.stop,
        replayed=replayed,
    )
    return replayed


async def test_replay_ends_when_told_to_and_counts_what_was_confirmed() -> None:
    kept = Kept()
    kept.n_before_stop = 30

    replayed = await run(kept, Pace(None))

    assert replayed.n_events == len(kept.records) >= 30


async def test_replay_keeps_the_order_over_the_days() -> None:
    kept = Kept()
    kept.n_before_stop = 30

    await run(kept, Pace(None))

    numbers = [int(record.value or b"") for record in kept.records]
    assert numbers == list(range(len(numbers)))


async def test_full_speed_ends_in_time_all_the_same() -> None:
    replayed = await run(Kept(), Pace(None), seconds=0.05)

    assert replayed.seconds >= 0.05


async def test_pace_bounds_what_is_sent() -> None:
    replayed = await run(Kept(), Pace(200), seconds=0.2)

    assert 0 < replayed.n_events <= 41


async def test_lag_counts_the_lines_of_orders_too() -> None:
    sender = Sender(Kept())

    await sender.send([make_outgoing(1, n_moved=3), make_outgoing(2, n_moved=2)])

    assert sender.lag(Counter()) == 2 + 5
    assert sender.lag(Counter({ORDERS.name: 2, STOCK_MOVEMENTS.name: 4})) == 1
    assert sender.lag(Counter({ORDERS.name: 2, STOCK_MOVEMENTS.name: 50})) == 0


async def test_real_and_simulated_are_counted_apart() -> None:
    replayed = Replayed()

    replayed.add([make_outgoing(1), make_outgoing(2, simulated=False)])

    assert (replayed.real.total(), replayed.simulated.total()) == (1, 1)
