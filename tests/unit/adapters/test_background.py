from __future__ import annotations

import asyncio

import pytest

from stream.adapters.background import BackgroundTask


class Work:
    """Counts how often it was begun, and goes on until told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.n_begun = 0
        self.may_end = asyncio.Event()
        self._error = error

    async def __call__(self) -> None:
        self.n_begun += 1
        await self.may_end.wait()
        if self._error is not None:
            raise self._error

    async def end(self) -> None:
        self.may_end.set()
        for _ in range(3):
            await asyncio.sleep(0)


async def test_work_under_way_is_not_begun_again_and_ended_work_is() -> None:
    work = Work()
    task = BackgroundTask("work", work)

    task.start()
    task.start()
    await work.end()
    n_begun_at_first = work.n_begun
    task.start()
    await work.end()

    assert (n_begun_at_first, work.n_begun) == (1, 2)


async def test_a_bug_is_raised_to_whoever_asks_and_ends_the_work_for_good() -> None:
    work = Work(ZeroDivisionError())
    task = BackgroundTask("work", work)

    task.start()
    await work.end()
    task.start()

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            task.raise_bug()
    assert work.n_begun == 1


async def test_stopped_work_ends_and_is_not_begun_again() -> None:
    work = Work()
    task = BackgroundTask("work", work)
    task.start()
    await asyncio.sleep(0)

    await task.stop()
    task.start()
    await asyncio.sleep(0)

    assert work.n_begun == 1
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_stopping_what_ended_by_a_bug_raises_nothing() -> None:
    work = Work(ZeroDivisionError())
    task = BackgroundTask("work", work)
    task.start()
    await work.end()

    await task.stop()
