"""Reading topics once: from their beginning, or a place in them, to the end as of the start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from stream.errors import ReadFailed
from stream.kafka.records import InRecord
from stream.kafka.tolerant import read_tolerantly

_POLL_MS = 200
#: Of one partition at a time, as is what else is fetched ahead: up to 1 MiB each.
_MAX_RECORDS = 500
_STALL_S = 30.0


class Span(NamedTuple):
    """Records of one partition in offset order; never empty."""

    topic: str
    partition: int
    records: Sequence[InRecord]


class TopicScan:
    """Reads partitions without a group, each in offset order.

    The ends come from what the broker says beside the records it hands over: the embedded one
    answers a question for the end offset with the base of the last batch plus one.
    """

    def __init__(
        self,
        bootstrap: Sequence[str],
        partitions: Mapping[str, int],
        *,
        begin: Mapping[tuple[str, int], int] | None = None,
        since_ms: int | None = None,
        client_id: str = "scan",
        stall_s: float = _STALL_S,
        security: Mapping[str, object] | None = None,
    ) -> None:
        """Prepare to read; entering the context connects.

        Args:
            partitions: How many each topic has; with *begin* only those are read that it names.
            begin: The first offset of each partition; the beginning where absent.
            since_ms: Begin with the first record of each partition appended then or later instead.
            stall_s: How long the broker may hand over nothing while the end is not reached.
        """
        every = ((topic, n) for topic, count in partitions.items() for n in range(count))
        self._begin = begin or {}
        self._wanted = [TopicPartition(*at) for at in every if begin is None or at in begin]
        self._since_ms, self._stall_s = since_ms, stall_s
        self._firsts: dict[TopicPartition, int] = {}
        self._nexts: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}
        who = {"client_id": client_id, **(security or {})}
        self._options = {"bootstrap_servers": list(bootstrap), **who}
        self._consumer: AIOKafkaConsumer | None = None

    async def __aenter__(self) -> Self:
        read_tolerantly()
        consumer = AIOKafkaConsumer(
            **self._options,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=_POLL_MS,
        )
        try:
            await consumer.start()
            if self._since_ms is not None:
                await self._begin_at(consumer, self._since_ms)
        except KafkaError as error:
            await consumer.stop()
            raise ReadFailed(f"No broker to read from: {error!r}") from error
        consumer.assign(self._wanted)
        for at in self._wanted:
            if at in self._begin:
                consumer.seek(at, self._begin[at])
        self._consumer = consumer
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await asyncio.shield(consumer.stop())

    @property
    def ends(self) -> dict[tuple[str, int], int]:
        """The end of each partition as of the start, as far as the broker has said it."""
        return {(at.topic, at.partition): end for at, end in self._ends.items()}

    @property
    def share(self) -> float:
        """The share of the offsets known that is read, 0 to 1."""
        n_all = sum(self._ends[at] - first for at, first in self._firsts.items())
        n_read = sum(self._nexts[at] - first for at, first in self._firsts.items())
        return n_read / n_all if n_all > 0 else 0.0

    async def to_ends(self) -> AsyncGenerator[Span, None]:
        """Yield what there was at the start; what is appended meanwhile does not count.

        Raises:
            ReadFailed: The broker handed over nothing for *stall_s* although there is more.
        """
        consumer = self._connected()
        deadline = time.monotonic() + self._stall_s
        while behind := [at for at in self._wanted if await self._is_behind(consumer, at)]:
            spans = await self._fetch(consumer)
            if not spans and time.monotonic() > deadline:
                listed = ", ".join(f"{at.topic}[{at.partition}]" for at in behind)
                raise ReadFailed(f"{listed}: not read to the end, nothing came {self._stall_s} s")
            for at, records in spans:
                end = self._end_of(consumer, at)
                kept = [record for record in records if record.offset < end]
                if kept:
                    self._firsts.setdefault(at, kept[0].offset)
                    self._nexts[at] = kept[-1].offset + 1
                    yield Span(at.topic, at.partition, kept)
            if spans:
                deadline = time.monotonic() + self._stall_s

    async def for_seconds(self, seconds: float) -> AsyncGenerator[list[Span], None]:
        """Yield what there is and what comes, for *seconds*; nothing now and then."""
        consumer = self._connected()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            fetched = await self._fetch(consumer)
            yield [Span(at.topic, at.partition, records) for at, records in fetched]

    async def _begin_at(self, consumer: AIOKafkaConsumer, since_ms: int) -> None:
        """Leave out what is older; the embedded broker tells offset 0 where nothing is newer."""
        found = await consumer.offsets_for_times(dict.fromkeys(self._wanted, since_ms))
        begin = {at: first.offset for at, first in found.items() if first is not None}
        self._wanted = [at for at in self._wanted if at in begin]
        self._begin = {(at.topic, at.partition): offset for at, offset in begin.items()}

    def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise ReadFailed("The scan is not connected: it is a context, to be entered first.")
        return self._consumer

    @staticmethod
    async def _fetch(
        consumer: AIOKafkaConsumer,
    ) -> list[tuple[TopicPartition, Sequence[InRecord]]]:
        try:
            fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
        except KafkaError as error:
            raise ReadFailed(f"The broker does not hand over: {error!r}") from error
        return [(at, records) for at, records in fetched.items() if records]

    async def _is_behind(self, consumer: AIOKafkaConsumer, at: TopicPartition) -> bool:
        """Whether the end of *at* is unknown or not reached; a marker at the end is no record."""
        if consumer.highwater(at) is None and at not in self._ends:
            return True
        try:
            position = await asyncio.wait_for(consumer.position(at), self._stall_s)
        except TimeoutError as error:
            place = f"{at.topic}[{at.partition}]"
            raise ReadFailed(f"{place}: no place to read from in {self._stall_s} s") from error
        return bool(position < self._end_of(consumer, at))

    def _end_of(self, consumer: AIOKafkaConsumer, at: TopicPartition) -> int:
        return self._ends.setdefault(at, consumer.highwater(at))
