"""State in memory, one dict per partition, behind a changelog that is written in bulk.

What a value is and how it becomes bytes is known above. Only keys touched since the last write are
written, each once, however often it was put; so a value becomes bytes once per write, not per put.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from stream.errors import PartitionRevoked
from stream.kafka.producer import Publisher
from stream.kafka.records import OutRecord

Value = TypeVar("Value")

#: Values kept as objects in each partition beside their bytes, because they were put lately.
MAX_OPEN = 4_000
#: In the place of bytes, until the first write of a new key.
_UNWRITTEN = b""


class Form(NamedTuple, Generic[Value]):
    """How a value is stored: ``dump`` makes bytes, never empty; ``load`` reads them."""

    dump: Callable[[Value], bytes]
    load: Callable[[bytes], Value]


class StatePartition(Generic[Value]):
    """The state of one partition, and which of it the changelog does not have yet."""

    def __init__(
        self, changelog: str, partition: int, publisher: Publisher | None, form: Form[Value]
    ) -> None:
        self.partition = partition
        self._changelog = changelog
        self._publisher = publisher
        self._dump, self._load = form
        self._stored: dict[bytes, bytes] = {}
        #: Has every dirty key's value; the others may be read from their bytes as well.
        self._open: dict[bytes, Value] = {}
        self._dirty: set[bytes] = set()
        self._collected: list[OutRecord] = []
        self._dropped = False
        self._writer: asyncio.Task[None] | None = None
        self._current: asyncio.Future[None] | None = None
        self._next: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._stored)

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the keys as of now: meanwhile they may be put or deleted."""
        return iter(list(self._stored))

    def get(self, key: bytes) -> Value | None:
        """Return the value of *key*, also one that was not flushed yet."""
        value = self._open.get(key)
        if value is None and (stored := self._stored.get(key)) is not None:
            return self._load(stored)
        return value

    def put(self, key: bytes, value: Value | None) -> None:
        """Set *key*, or delete it with None; the changelog hears of it at the next flush.

        Raises:
            PartitionRevoked: The partition was dropped.
        """
        self._check_owned()
        if value is None:
            self.restore(key, None)
        else:
            self._stored.setdefault(key, _UNWRITTEN)
            self._open[key] = value
        self._dirty.add(key)

    def restore(self, key: bytes, stored: bytes | None) -> None:
        """Set *key* to what the changelog says; nothing is written back."""
        self._open.pop(key, None)
        if stored is None:
            self._stored.pop(key, None)
        else:
            self._stored[key] = stored

    async def flush(self) -> None:
        """Return once everything put before this call is confirmed in the changelog.

        At once without a publisher: then :meth:`take` is called before the offsets are committed.
        Calls during a write share the next one. After a failure the keys stay dirty, and the next
        call tries again.

        Raises:
            PartitionRevoked: The partition was dropped, before or meanwhile.
            PublishFailed: The write that had these puts was not confirmed.
        """
        self._check_owned()
        if self._publisher is None:
            return
        outcome = self._current
        if self._dirty:
            outcome = self._next = self._next or _outcome()
            self._writer = self._writer or asyncio.create_task(self._write(self._publisher))
        if outcome is not None:
            await asyncio.shield(outcome)

    def collect(self, records: Sequence[OutRecord]) -> None:
        """Keep *records*, which this partition's records caused, until they are taken.

        Raises:
            PartitionRevoked: The partition was dropped.
        """
        self._check_owned()
        self._collected += records

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing to take."""
        return not self._dirty and not self._collected

    def take(self) -> list[OutRecord]:
        """Return what was collected and all that the changelog does not have; it counts as written.

        Raises:
            PartitionRevoked: The partition was dropped.
        """
        self._check_owned()
        collected, self._collected = self._collected, []
        keys, self._dirty = self._dirty, set()
        return [*collected, *self._changes(keys)]

    def drop(self) -> None:
        """Forget everything; whoever waits for a flush gets ``PartitionRevoked``."""
        self._dropped = True
        self._stored.clear()
        self._open.clear()
        self._dirty.clear()
        self._collected.clear()
        if self._writer is not None:
            self._writer.cancel()
        for outcome in (self._current, self._next):
            if outcome is not None and not outcome.done():
                outcome.set_exception(self._revoked())

    async def _write(self, publisher: Publisher) -> None:
        """Write until no flush waits: one write at a time, each of all that is dirty by then."""
        try:
            while self._next is not None:
                self._current, self._next = self._next, None
                await self._write_dirty(self._current, publisher)
                self._current = None
        finally:
            self._writer = None

    async def _write_dirty(self, outcome: asyncio.Future[None], publisher: Publisher) -> None:
        keys, self._dirty = self._dirty, set()
        try:
            await publisher.publish(self._changes(keys))
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            self._dirty |= keys
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    def _changes(self, keys: set[bytes]) -> list[OutRecord]:
        topic, partition = self._changelog, self.partition
        records = [OutRecord(topic, partition, key, self._written(key)) for key in keys]
        self._close_some()
        return records

    def _written(self, key: bytes) -> bytes | None:
        """Return the bytes of *key*, None of a deleted one; a write that failed made them before."""
        value = self._open.get(key)
        if value is None:
            return self._stored.get(key)
        stored = self._stored[key] = self._dump(value)
        return stored

    def _close_some(self) -> None:
        """Keep only the bytes of the values that were opened first; nothing is dirty now."""
        for key in list(islice(self._open, max(0, len(self._open) - MAX_OPEN))):
            del self._open[key]

    def _check_owned(self) -> None:
        if self._dropped:
            raise self._revoked()

    def _revoked(self) -> PartitionRevoked:
        return PartitionRevoked(f"{self._changelog}[{self.partition}] was given to another worker")


class StateStore(Generic[Value]):
    """The partitions of one changelog that this worker owns."""

    def __init__(self, changelog: str, publisher: Publisher | None, form: Form[Value]) -> None:
        """Own nothing; without a *publisher* a transaction takes what was put, see ``take``."""
        self.changelog = changelog
        self._publisher = publisher
        self._form = form
        self._owned: dict[int, StatePartition[Value]] = {}

    def __getitem__(self, partition: int) -> StatePartition[Value]:
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

    def open(self, partition: int) -> StatePartition[Value]:
        """Own *partition*, empty until it is recovered; what was known of it before is dropped."""
        self.drop(partition)
        opened = StatePartition(self.changelog, partition, self._publisher, self._form)
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
