"""How far the worker is behind, looked at while it runs."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

from stream.demo.narration import Update
from stream.demo.reading import Progress
from stream.demo.sending import Sender

#: Between two looks at what runs.
LOOK_S = 0.25


@dataclass(slots=True)
class Watch:
    """How far the worker is behind the sender, by its committed offsets."""

    sender: Sender
    progress: Progress
    lag: int = 0

    async def look(self) -> None:
        """Keep ``lag`` up to date."""
        while True:
            await self._look()
            await asyncio.sleep(LOOK_S)

    async def until_folded(self, update: Update) -> None:
        """Return when nothing is behind."""
        total = self.sender.expected.total()
        await self._look()
        while self.lag > 0:
            update(1 - self.lag / total, "")
            await asyncio.sleep(LOOK_S)
            await self._look()

    def lag_of(self, sender: Sender) -> int:
        """The lag as last seen."""
        return min(self.lag, sender.expected.total())

    async def _look(self) -> None:
        committed = await asyncio.to_thread(self.progress.committed)
        self.lag = self.sender.lag(Counter(committed))
