"""Says what the demo is doing: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

#: Told the share that is done, 0 to 1, and if it changes, what is being done.
Update = Callable[[float, str], None]


class Narrator:
    """Tells each step and remembers how long it took."""

    def __init__(self, console: Console, *, headless: bool) -> None:
        self.console = console
        self.seconds: dict[str, float] = {}
        self._headless = headless

    @contextmanager
    def step(self, key: str, what: str) -> Iterator[Update]:
        """Run one step, named *key* in the report and *what* to people."""
        started = time.monotonic()
        if self._headless:
            self.console.print(f"… {what}")
        with self._progress() as progress:
            task = progress.add_task(what, total=1.0)

            def update(share: float, now: str = "") -> None:
                progress.update(
                    task, completed=share, description=f"{what}: {now}" if now else what
                )

            yield update
            progress.remove_task(task)
        self.seconds[key] = round(time.monotonic() - started, 1)
        self.console.print(f"✓ {what} ({self.seconds[key]} s)")

    def say(self, line: str) -> None:
        """Print one line."""
        self.console.print(line)

    def _progress(self) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=self._headless,
        )
