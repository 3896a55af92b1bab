"""When an answer could be read: appended in a transaction, it can only once that is committed."""

from __future__ import annotations

import asyncio
import threading
import time
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.errors import PartDied

_START_S = 30.0
#: What comes later than this to the listener is no longer the answer's fault.
_POLL_MS = 100
_FETCH_WAIT_MS = 20


class Listener:
    """A ``read_committed`` consumer that runs, and notes when records reach it; decodes nothing."""

    def __init__(self, bootstrap: Sequence[str], topic: str, n_partitions: int) -> None:
        self._bootstrap = list(bootstrap)
        self._partitions = [TopicPartition(topic, number) for number in range(n_partitions)]
        self._offsets = [array("q") for _ in self._partitions]
        self._times_ms = [array("q") for _ in self._partitions]
        self._ready, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def __enter__(self) -> Self:
        """Return once whatever is appended from now on is heard."""
        self._thread.start()
        if not self._ready.wait(_START_S):
            raise PartDied(f"nobody could listen to {self._partitions[0].topic} in {_START_S} s")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join(_START_S)

    def heard_ms(self, partition: int, offset: int) -> int:
        """Return when the record at *offset* was there to be read, ms since the Unix epoch.

        Raises:
            PartDied: It was not heard.
        """
        place = bisect_left(self._offsets[partition], offset)
        if place == len(self._offsets[partition]):
            raise PartDied(f"the answer at [{partition}]@{offset} never reached its listener")
        return self._times_ms[partition][place]

    def _run(self) -> None:
        asyncio.run(self._listen())

    async def _listen(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            isolation_level="read_committed",
            fetch_max_wait_ms=_FETCH_WAIT_MS,
        )
        await consumer.start()
        try:
            consumer.assign(self._partitions)
            await consumer.seek_to_end()
            for each in self._partitions:
                await consumer.position(each)
            self._ready.set()
            while not self._over.is_set():
                fetched = await consumer.getmany(timeout_ms=_POLL_MS)
                now_ms = time.time_ns() // 1_000_000
                for at, records in fetched.items():
                    self._offsets[at.partition].append(records[-1].offset)
                    self._times_ms[at.partition].append(now_ms)
        finally:
            await consumer.stop()
