"""Following whole topics without a group: what every worker is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from stream.kafka.records import InRecord
from stream.kafka.tolerant import read_tolerantly

log = structlog.get_logger(__name__)

_POLL_MS = 200
_MAX_RECORDS = 2_000
_METADATA_MAX_AGE_MS = 30_000


#: Gets records of one partition in offset order.
Apply = Callable[[Sequence[InRecord]], None]


class TopicReader:
    """Reads every partition of some topics from its beginning, and then what is appended.

    Each topic's own listener gets its records at least once: after a lost connection it may see
    some again. An exception of it ends the reader, see :attr:`failure`.
    """

    def __init__(
        self,
        bootstrap: Sequence[str],
        topics: Mapping[str, Apply],
        *,
        client_id: str = "reader",
        retry_s: float = 1.0,
        security: Mapping[str, object] | None = None,
    ) -> None:
        self._topics = topics
        self._named = ", ".join(topics)
        self._retry_s = retry_s
        self._options = {
            "bootstrap_servers": list(bootstrap),
            "client_id": client_id,
            **(security or {}),
        }
        self._ends: dict[TopicPartition, int] = {}
        self._caught_up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether it reads, and has once reached the end that each partition had at the start."""
        return self._caught_up.is_set() and self._task is not None and not self._task.done()

    @property
    def failure(self) -> BaseException | None:
        """What ended the reader although nobody stopped it."""
        if self._task is None or not self._task.done() or self._task.cancelled():
            return None
        return self._task.exception()

    async def start(self) -> None:
        """Begin to read in the background, also while no broker answers yet."""
        self._task = asyncio.create_task(self._read())

    async def stop(self) -> None:
        """End the reading and disconnect; :attr:`ready` is False from then on."""
        if self._task is not None:
            self._task.cancel()
            # What else ended it is kept in ``failure``, for whoever looks after this reader.
            await asyncio.wait([self._task])

    async def wait_ready(self, timeout_s: float) -> None:
        """Wait until it has caught up.

        Raises:
            TimeoutError: It has not in *timeout_s*.
            Exception: What ended the reader meanwhile.
        """
        if self._task is None:
            raise TimeoutError(f"{self._named}: their reader was never started")
        caught_up = asyncio.create_task(self._caught_up.wait())
        await asyncio.wait(
            [caught_up, self._task], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        caught_up.cancel()
        if self.failure is not None:
            raise self.failure
        if not self.ready:
            raise TimeoutError(f"{self._named}: not read to the end in {timeout_s} s")

    async def _read(self) -> None:
        read_tolerantly()
        consumer = AIOKafkaConsumer(
            *self._topics,
            **self._options,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=_POLL_MS,
            metadata_max_age_ms=_METADATA_MAX_AGE_MS,
        )
        try:
            await self._retried(consumer.start)
            while True:
                await self._retried(lambda: self._advance(consumer))
        finally:
            # Not cut short: a consumer half stopped leaves its tasks and sockets behind.
            await asyncio.shield(consumer.stop())

    async def _retried(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await step()
            except KafkaError as error:
                log.warning("topics_read_interrupted", topics=self._named, error=repr(error))
                await asyncio.sleep(self._retry_s)
            else:
                return

    async def _advance(self, consumer: AIOKafkaConsumer) -> None:
        fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
        for tp, records in fetched.items():
            self._topics[tp.topic](records)
        if not self._caught_up.is_set() and await self._is_caught_up(consumer):
            self._caught_up.set()
            log.info("topics_read_to_their_end", topics=self._named, partitions=len(self._ends))

    async def _is_caught_up(self, consumer: AIOKafkaConsumer) -> bool:
        """Compare positions with the first high watermark that each partition's fetch brought.

        A topic of which the broker has not told yet has no partitions here, and is not read.
        """
        partitions = consumer.assignment()
        if {tp.topic for tp in partitions} != self._topics.keys():
            return False
        for tp in partitions:
            high_watermark = consumer.highwater(tp)
            if high_watermark is None:
                return False
            if await consumer.position(tp) < self._ends.setdefault(tp, high_watermark):
                return False
        return True
