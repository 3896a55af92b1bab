"""A record batch is completed when the last thing it caused is confirmed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stream.kafka.records import RecordBatch


@dataclass(slots=True, eq=False)
class Ticket:
    """Counts what a record batch still waits for; starts with one hold of its own.

    Attributes:
        last: What is left to do when nothing is waited for any more, completing the batch
            included; None where completing is all.
    """

    batch: RecordBatch
    open: int = 1
    last: Callable[[], None] | None = None

    def hold(self, n_things: int = 1) -> None:
        """Wait for *n_things* more to be confirmed before the batch is complete."""
        self.open += n_things

    def release(self, n_things: int = 1) -> None:
        """Hear that *n_things* were confirmed; the last one completes the batch."""
        self.open -= n_things
        if self.open == 0:
            # What is left to do knows its ticket: not let go of, both would wait for the collector.
            last, self.last = self.last or self.batch.complete, None
            last()
