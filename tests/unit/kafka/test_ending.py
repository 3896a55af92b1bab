from __future__ import annotations

import asyncio

import pytest

from stream.kafka.ending import ended


async def stopping_what_ends_as_cancelled() -> None:
    """What aiokafka does when a fetch is between two attempts."""
    task = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    task.cancel()
    await task


async def test_end_that_is_told_as_a_cancellation_cancels_nobody() -> None:
    with pytest.raises(asyncio.CancelledError):
        await stopping_what_ends_as_cancelled()

    assert await ended(stopping_what_ends_as_cancelled())


async def test_what_ends_badly_is_raised() -> None:
    async def fails() -> None:
        raise LookupError("no end")

    with pytest.raises(LookupError):
        await ended(fails())


async def test_what_does_not_end_in_time_is_told_and_given_up() -> None:
    given_up = asyncio.Event()

    async def hangs() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            given_up.set()

    assert not await ended(hangs(), 0.01)
    async with asyncio.timeout(5):
        await given_up.wait()


async def test_being_cancelled_oneself_is_passed_on() -> None:
    waiting = asyncio.create_task(ended(asyncio.sleep(60)))
    await asyncio.sleep(0)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
