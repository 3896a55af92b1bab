"""Faust's table manager, of which an app of ours needs only that it says when recovery may begin."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from faust.tables import TableManager
from faust.tables.recovery import Recovery


class PatientRecovery(Recovery):  # type: ignore[misc]  # mypy does not follow Faust
    """Waits until what it waits for is done, or is overtaken by another assignment.

    Faust's gives up seeking after a request timeout, and then ends, as if the worker were stopped:
    it keeps its partitions and reads none of them, after any later assignment neither. What is
    waited for has bounds of its own, and the watchdog ends a worker that gets nowhere.
    """

    async def _wait(self, coro: Awaitable[Any], timeout: Any = None) -> None:  # noqa: ASYNC109 - Faust's
        await super()._wait(coro)


class NoTables(TableManager):  # type: ignore[misc]  # mypy does not follow Faust
    """Does not wait a second for tables to be declared: there are none, and workers start sooner.

    Agents have named their topics by then all the same, for the conductor waits for both.
    """

    _recovery: PatientRecovery | None = None

    @property
    def recovery(self) -> PatientRecovery:
        """What begins to read once partitions are assigned and their state is there."""
        if self._recovery is None:
            self._recovery = PatientRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery

    async def on_start(self) -> None:
        """Say that all tables are known, and let recovery wait for an assignment."""
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()
