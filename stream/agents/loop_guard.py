"""Ending a process whose event loop stands still: nothing inside the loop could notice.

Such a worker looks alive to its group: aiokafka's heartbeats come from a thread of their own. It
keeps its partitions and answers nothing, for fifteen minutes or for ever.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import sys
import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

EXIT_CODE = 1
_TICK_S = 0.5
#: Beyond the limit, until the process is ended without Python: a call into native code may hold
#: the interpreter's lock, as a regular expression does, and then no thread of Python's runs.
_MARGIN_S = 2.0


def end_process() -> None:
    """Say where each thread stands, and end: what was begun and not committed is read again.

    Nothing is finished or taken back, as after a crash: the records in flight may be the reason.
    """
    faulthandler.dump_traceback(file=sys.__stderr__ or 2, all_threads=True)
    os._exit(EXIT_CODE)


def arm(limit_s: float) -> None:
    """Let the process be ended in *limit_s*, unless this is called again before; without Python."""
    faulthandler.dump_traceback_later(limit_s, exit=True, file=sys.__stderr__ or 2)


class LoopGuard:
    """Counts, in a thread of its own, for how long a loop did not do what it was asked to.

    Counted are the thread's own turns, so that a process that was frozen is not taken for one that
    hangs, where the freeze was shorter than the limit.
    """

    def __init__(
        self,
        limit_s: float,
        *,
        end: Callable[[], None] = end_process,
        arm: Callable[[float], None] = arm,
    ) -> None:
        """End the process when a loop stands still for *limit_s*."""
        self._limit_s = limit_s
        self._end = end
        self._arm = arm
        self._pulses: list[_Pulse] = []
        self._left_s: float | None = None
        self._thread = threading.Thread(target=self._run, name="loop-guard", daemon=True)

    def watch(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        """Watch *loop* as well, while it runs."""
        self._pulses.append(_Pulse(name, loop))

    def start(self) -> None:
        """Begin; it goes on until the process ends, its interpreter's shutdown included.

        Armed before the thread has its first turn: a record may hold the lock before that.
        """
        self._arm(self._limit_s + _MARGIN_S)
        self._thread.start()

    def expect_end(self, within_s: float) -> None:
        """Expect this process to be gone *within_s*: it has failed, and is to be started anew."""
        self._left_s = within_s

    def tick(self, tick_s: float) -> None:
        """Look once, *tick_s* after the last time."""
        self._arm(self._limit_s + _MARGIN_S)
        for pulse in self._pulses:
            if pulse.silent_s(tick_s) > self._limit_s:
                self._give_up("loop_stands_still", loop=pulse.name, silent_s=self._limit_s)
        if self._left_s is not None:
            self._left_s -= tick_s
            if self._left_s < 0:
                self._give_up("shutdown_stands_still")

    def _give_up(self, event: str, **fields: object) -> None:
        log.critical(event, **fields)
        self._end()

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(_TICK_S):
            self.tick(_TICK_S)


class _Pulse:
    """Whether a loop answers."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self.name = name
        self._loop = loop
        self._silent_s = 0.0
        self._answered = True

    def silent_s(self, tick_s: float) -> float:
        """Return for how long it has not answered, after one more *tick_s*."""
        if not self._loop.is_running():
            self._answered, self._silent_s = True, 0.0  # not yet, or no more
        elif self._answered:
            self._ask()
        else:
            self._silent_s += tick_s
        return self._silent_s

    def _ask(self) -> None:
        self._answered, self._silent_s = False, 0.0
        try:
            self._loop.call_soon_threadsafe(self._answer)
        except RuntimeError:
            self._answered = True  # closed meanwhile

    def _answer(self) -> None:
        self._answered = True
