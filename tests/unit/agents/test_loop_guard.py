"""A loop that stands still ends the process; one that turns, ends, or never began does not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from stream.agents.loop_guard import LoopGuard

LIMIT_S = 10.0


class Process:
    """In the place of this process: it is only said to have ended."""

    def __init__(self) -> None:
        self.n_ends = 0
        self.armed_s: list[float] = []
        self.guard = LoopGuard(LIMIT_S, end=self._end, arm=self.armed_s.append)

    def _end(self) -> None:
        self.n_ends += 1


@pytest.fixture
def process() -> Process:
    return Process()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that turns in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(10)
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_loop_that_stands_still_ends_the_process(
    process: Process, loop: asyncio.AbstractEventLoop
) -> None:
    goes_on = threading.Event()
    loop.call_soon_threadsafe(goes_on.wait)
    process.guard.watch("app", loop)

    for _ in range(11):
        process.guard.tick(1.0)
    before = process.n_ends
    process.guard.tick(1.0)
    goes_on.set()

    assert (before, process.n_ends) == (0, 1)


def test_loop_that_turns_ends_nothing(process: Process, loop: asyncio.AbstractEventLoop) -> None:
    process.guard.watch("app", loop)

    for _ in range(30):
        process.guard.tick(1.0)
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(10)

    assert process.n_ends == 0


def test_loop_that_does_not_run_ends_nothing(process: Process) -> None:
    loop = asyncio.new_event_loop()
    process.guard.watch("app", loop)

    for _ in range(30):
        process.guard.tick(1.0)
    loop.close()
    process.guard.tick(1.0)

    assert process.n_ends == 0


def test_process_that_failed_and_is_still_there_is_ended(process: Process) -> None:
    process.guard.expect_end(2.0)

    process.guard.tick(1.0)
    process.guard.tick(1.0)
    before = process.n_ends
    process.guard.tick(1.0)

    assert (before, process.n_ends) == (0, 1)


def test_each_turn_puts_off_the_end_without_python(process: Process) -> None:
    process.guard.tick(1.0)
    process.guard.tick(1.0)

    assert len(process.armed_s) == 2
    assert min(process.armed_s) > LIMIT_S


def test_process_is_armed_before_the_thread_has_a_turn(process: Process) -> None:
    process.guard._thread = threading.Thread(target=lambda: None)

    process.guard.start()
    process.guard._thread.join(10)

    assert len(process.armed_s) == 1
    assert process.armed_s[0] > LIMIT_S
