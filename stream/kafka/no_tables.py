"""Faust's table manager, of which an app of ours needs only that it says when recovery may begin."""

from __future__ import annotations

from faust.tables import TableManager


class NoTables(TableManager):  # type: ignore[misc]  # mypy does not follow Faust
    """Does not wait a second for tables to be declared: there are none, and workers start sooner.

    Agents have named their topics by then all the same, for the conductor waits for both.
    """

    async def on_start(self) -> None:
        """Say that all tables are known, and let recovery wait for an assignment."""
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()
