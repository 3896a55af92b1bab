"""State in memory, one dict per partition, behind a changelog that is written in bulk.

A value is bytes here; what they mean is known above. Only keys touched since the last write are
written, each once, however often it was put.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from stream.errors import PartitionRevoked
from stream.kafka.producer import Publisher
from stream.kafka.records import OutRecord


class StatePartition:
    """The state of one partition, and which of it the changelog does not have yet."""

    def __init__(self, changelog: str, partition: int, publisher: Publisher) -> None:
        self.partition = partition
        self._changelog = changelog
        self._publisher = publisher
        self._values: dict[bytes, bytes] = {}
        self._dirty: set[bytes] = set()
        self._dropped = False
        self._writer: asyncio.Task[None] | None = None
        self._current: asyncio.Future[None] | None = None
        self._next: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._values)

    @property
    def n_dirty(self) -> int:
        """Keys that the changelog does not have yet, those in a write under way not counted."""
        return len(self._dirty)

    def get(self, key: bytes) -> bytes | None:
        """Return the value of *key*, also one that was not flushed yet."""
        return self._values.get(key)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Iterate over a snapshot, so that what it meets may be put or deleted meanwhile."""
        return iter(list(self._values.items()))

    def put(self, key: bytes, value: bytes | None) -> None:
        """Set *key*, or delete it with None; the changelog hears of it at the next flush.

        Raises:
            PartitionRevoked: The partition was dropped.
        """
        self._check_owned()
        self.restore(key, value)
        self._dirty.add(key)

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Set *key* to what the changelog says; nothing is written back."""
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value

    async def flush(self) -> None:
        """Return once everything put before this call is confirmed in the changelog.

        Calls during a write share the next one. After a failure the keys stay dirty, and the next
        call tries again.

        Raises:
            PartitionRevoked: The partition was dropped, before or meanwhile.
            PublishFailed: The write that had these puts was not confirmed.
        """
        self._check_owned()
        outcome = self._current
        if self._dirty:
            outcome = self._next = self._next or _outcome()
            self._writer = self._writer or asyncio.create_task(self._write())
        if outcome is not None:
            await asyncio.shield(outcome)

    def drop(self) -> None:
        """Forget everything; whoever waits for a flush gets ``PartitionRevoked``."""
        self._dropped = True
        self._values.clear()
        self._dirty.clear()
        if self._writer is not None:
            self._writer.cancel()
        for outcome in (self._current, self._next):
            if outcome is not None and not outcome.done():
                outcome.set_exception(self._revoked())

    async def _write(self) -> None:
        """Write until no flush waits: one write at a time, each of all that is dirty by then."""
        try:
            while self._next is not None:
                self._current, self._next = self._next, None
                await self._write_dirty(self._current)
                self._current = None
        finally:
            self._writer = None

    async def _write_dirty(self, outcome: asyncio.Future[None]) -> None:
        keys, self._dirty = self._dirty, set()
        topic, partition, values = self._changelog, self.partition, self._values
        try:
            await self._publisher.publish(
                [OutRecord(topic, partition, key, values.get(key)) for key in keys]
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            self._dirty |= keys
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    def _check_owned(self) -> None:
        if self._dropped:
            raise self._revoked()

    def _revoked(self) -> PartitionRevoked:
        return PartitionRevoked(f"{self._changelog}[{self.partition}] was given to another worker")


class StateStore:
    """The partitions of one changelog that this worker owns."""

    def __init__(self, changelog: str, publisher: Publisher) -> None:
        self.changelog = changelog
        self._publisher = publisher
        self._owned: dict[int, StatePartition] = {}

    def __getitem__(self, partition: int) -> StatePartition:
        """Return the state of *partition*.

        Raises:
            PartitionRevoked: It is not owned.
        """
        try:
            return self._owned[partition]
        except KeyError:
            message = f"{self.changelog}[{partition}] is not owned by this worker"
            raise PartitionRevoked(message) from None

    @property
    def partitions(self) -> tuple[int, ...]:
        """The owned partitions, ascending."""
        return tuple(sorted(self._owned))

    def open(self, partition: int) -> StatePartition:
        """Own *partition*, empty until it is recovered; what was known of it before is dropped."""
        self.drop(partition)
        opened = StatePartition(self.changelog, partition, self._publisher)
        self._owned[partition] = opened
        return opened

    def drop(self, partition: int) -> None:
        """Disown *partition* and forget its state; does nothing where it is not owned."""
        dropped = self._owned.pop(partition, None)
        if dropped is not None:
            dropped.drop()


def _outcome() -> asyncio.Future[None]:
    """A future whose failure is no news to asyncio when every waiter was cancelled before."""
    outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    outcome.add_done_callback(lambda done: done.cancelled() or done.exception())
    return outcome
