"""What Faust commits, and what we do: traps 1, 2, 5, 10 and 11, each on both sides."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import pytest
from pydantic import ValidationError

from stream.settings import Settings
from tests.unit.pipeline.fakes import settled
from tests.unit.traps.sides import TP0, Side, our_side, stock_side


async def test_trap_01_commit_passes_a_message_in_flight(tmp_path: Path) -> None:
    async with stock_side(tmp_path, range(10)) as stock:
        messages = await stock.read()
        for message in messages[5:]:
            stock.consumer.ack(message)
        await stock.consumer.commit()

        assert stock.partition.committed == 10
        assert not messages[0].acked

    async with our_side(tmp_path, range(5), range(5, 10)) as ours:
        first, second = await ours.batches()
        second.complete()
        await ours.consumer.commit()
        before = ours.partition.committed
        first.complete()
        await ours.consumer.commit()

        assert (before, ours.partition.committed) == (None, 10)


async def test_trap_02_first_message_behind_a_gap_counts_as_acked(tmp_path: Path) -> None:
    async with stock_side(tmp_path, range(10), [20, 21]) as stock:
        messages = {message.offset: message for message in await stock.read()}
        for offset in (*range(10), 21):
            stock.consumer.ack(messages[offset])
        await stock.consumer.commit()

        assert stock.partition.committed == 22
        assert not messages[20].acked

    async with our_side(tmp_path, range(10), [20], [21]) as ours:
        before_the_gap, in_flight, behind = await ours.batches()
        before_the_gap.complete()
        behind.complete()
        await ours.consumer.commit()

        assert ours.partition.committed == 10
        assert not in_flight.completed


async def test_trap_05_committed_moves_although_the_broker_refused(tmp_path: Path) -> None:
    async with stock_side(tmp_path, range(10)) as stock:
        for message in await stock.read():
            stock.consumer.ack(message)
        stock.partition.refuses = True
        refused = await stock.consumer.commit()
        stock.partition.refuses = False
        again = await stock.consumer.commit()

        assert (refused, again, stock.partition.committed) == (False, False, None)
        assert stock.consumer._committed_offset[TP0] == 10

    async with our_side(tmp_path, range(10)) as ours:
        (batch,) = await ours.batches()
        batch.complete()
        ours.partition.refuses = True
        refused = await ours.consumer.commit()
        believed = ours.consumer.committed_offsets()
        ours.partition.refuses = False
        again = await ours.consumer.commit()

        assert (refused, believed, again, ours.partition.committed) == (False, {}, True, 10)


class Patience(Exception):
    """More than the rebalance timeout of our workers went by."""


async def test_trap_10_rebalance_waits_for_ever_for_an_unacked_message(tmp_path: Path) -> None:
    waited_s = 0.0

    async def second(timeout: float) -> None:  # noqa: ASYNC109  # Faust's name for it
        nonlocal waited_s
        waited_s += timeout
        if waited_s > 10:
            raise Patience

    async with stock_side(tmp_path, range(2)) as stock:
        for message in await stock.read():
            stock.consumer.track_message(message)
        stock.consumer._wait_for_ack = second
        gc.freeze()  # Faust collects garbage every second of its waiting
        with pytest.raises(Patience):
            await stock.consumer.wait_empty()
        gc.unfreeze()

    async with our_side(tmp_path, range(1), range(1, 2)) as ours:
        done, stuck = await ours.batches()
        for batch in (done, stuck):
            ours.consumer.tracker.begin(batch)
        done.complete()
        async with asyncio.timeout(5):
            await ours.consumer.wait_empty()
        stuck.complete()

        assert ours.partition.committed == 1
        assert ours.consumer.tracker.in_flight == 0
    with pytest.raises(ValidationError, match="inference deadline below the session timeout"):
        Settings(triton_deadline_s=11, broker_session_timeout_s=10, shutdown_timeout_s=12)


@pytest.mark.parametrize(("iterator", "acked"), [("_py_aiter", True), ("_c_aiter", False)])
async def test_trap_11_stale_messages_are_skipped_and_acked(
    tmp_path: Path, iterator: str, acked: bool
) -> None:
    """Compiled, Faust's iterator skips them as silently, but does not acknowledge."""
    async with stock_side(tmp_path, range(3)) as stock:
        seen = await _seen_after_a_rebalance(stock, iterator)
        await stock.consumer.commit()

        assert seen == []
        assert stock.partition.committed == (3 if acked else None)

    async with our_side(tmp_path, range(3)) as ours:
        seen = await _seen_after_a_rebalance(ours, iterator)
        await ours.consumer.commit()
        committed = ours.partition.committed
        await ours.consumer.perform_seek()
        (again,) = await ours.batches()

        assert (seen, committed) == ([], None)
        assert again.first_offset == 0


async def _seen_after_a_rebalance(side: Side, iterator: str) -> list[object]:
    """Return what an agent's stream yields of messages that were fetched before a rebalance."""
    channel, seen = side.app.channel(), list[object]()
    await side.read()
    side.app.consumer_generation_id += 1

    async def agent() -> None:
        async for value in getattr(channel.stream(), iterator)():
            seen.append(value)

    working = asyncio.create_task(agent())
    await settled()
    for message in side.messages:
        message.incref()
        await channel.put(side.app.create_event(None, message.value, None, message))
    await settled()
    working.cancel()
    await asyncio.wait([working])
    return seen
