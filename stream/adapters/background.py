"""Work that nobody waits for, and that may still not fail unheard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine


class BackgroundTask:
    """At most one task at a time; a bug ends it for good, and is raised to whoever asks."""

    def __init__(self, name: str, work: Callable[[], Coroutine[object, object, None]]) -> None:
        self._name = name
        self._work = work
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def start(self) -> None:
        """Do the work, unless it is under way, was stopped or has failed."""
        if self._stopped or not (self._task is None or _ended_well(self._task)):
            return
        self._task = asyncio.create_task(self._work(), name=self._name)

    def raise_bug(self) -> None:
        """Raise what ended the work, if anything did."""
        if self._task is not None and self._task.done() and not self._task.cancelled():
            self._task.result()

    async def stop(self) -> None:
        """End the work; from now on none is started. A bug in it was for the callers to hear."""
        self._stopped = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _ended_well(task: asyncio.Task[None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None
