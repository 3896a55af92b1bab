"""A record batch is completed when the last thing it caused is confirmed."""

from __future__ import annotations

from dataclasses import dataclass

from stream.kafka.records import RecordBatch


@dataclass(slots=True, eq=False)
class Ticket:
    """Counts what a record batch still waits for; starts with one hold of its own."""

    batch: RecordBatch
    open: int = 1

    def hold(self) -> None:
        """One more thing must be confirmed before the batch is complete."""
        self.open += 1

    def release(self) -> None:
        """One thing was confirmed; the last one completes the batch."""
        self.open -= 1
        if self.open == 0:
            self.batch.complete()
