"""The load: trade at a rate, on all input topics, each record written down where the broker put it."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from aiokafka import AIOKafkaProducer

from stream.bench.faults.books import BAD, OWED, TP, Books, Given
from stream.bench.faults.poison import Poison
from stream.bench.faults.trade import Drawn, Trade
from stream.bench.loading import arrivals
from stream.kafka.partitioning import partition_of
from stream.topics import INPUTS

#: Longer than any fault lasts: nothing is given up, or nobody knows whether it was appended.
_PATIENCE_S = 300
_MAX_BATCH_BYTES = 512 * 1024
_MAX_BATCH_RECORDS = 500


@dataclass(slots=True)
class _Lane:
    """What is to go to one partition: in order, one record batch at a time."""

    waiting: deque[Given] = field(default_factory=deque)
    come: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, given: Given) -> None:
        self.waiting.append(given)
        self.come.set()

    def taken(self) -> list[Given]:
        """Return what goes next; it stays until it is confirmed."""
        return list(itertools.islice(self.waiting, _MAX_BATCH_RECORDS))

    def confirm(self, n_records: int) -> None:
        for _ in range(n_records):
            self.waiting.popleft()
        if not self.waiting:
            self.come.clear()


class _Topic:
    """One input topic in one of its lives, and the producer for it.

    A producer each: one that knew an earlier life of the topic would number its batches on.
    """

    def __init__(self, name: str, n_partitions: int, bootstrap: Sequence[str], epoch: int) -> None:
        self.lanes = [_Lane() for _ in range(n_partitions)]
        self._name = name
        self._epoch = epoch
        self._senders: list[asyncio.Task[None]] = []
        self._producer = AIOKafkaProducer(
            bootstrap_servers=list(bootstrap),
            client_id=f"storestream-bench-{name}",
            acks="all",
            enable_idempotence=True,
            max_batch_size=_MAX_BATCH_BYTES,
            max_request_size=_MAX_BATCH_BYTES,
            request_timeout_ms=_PATIENCE_S * 1000,
            retry_backoff_ms=100,
            metadata_max_age_ms=5_000,
        )

    async def start(self, books: Books) -> list[asyncio.Task[None]]:
        """Connect, and send what comes; the senders end with whatever goes wrong."""
        await self._producer.start()
        self._senders = [
            asyncio.create_task(self._send(partition, lane, books))
            for partition, lane in enumerate(self.lanes)
        ]
        return self._senders

    async def stop(self) -> None:
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        await self._producer.stop()

    async def _send(self, partition: int, lane: _Lane, books: Books) -> None:
        while True:
            await lane.come.wait()
            given, batch = lane.taken(), self._producer.create_batch()
            for each in given:
                batch.append(timestamp=None, key=each.key, value=each.value, headers=[])
            sending = await self._producer.send_batch(batch, self._name, partition=partition)
            confirmed = await sending
            books.sent((self._name, partition), confirmed.offset, given, epoch=self._epoch)
            lane.confirm(len(given))


class Load:
    """Publishes trade until told to stop; lives in one event loop, as its books do."""

    def __init__(
        self,
        bootstrap: Sequence[str],
        books: Books,
        trade: Trade,
        *,
        n_partitions: int,
        random: Random,
    ) -> None:
        self._bad_share = 0.0
        self._bootstrap = tuple(bootstrap)
        self._books = books
        self._trade = trade
        self._poison = Poison(random)
        self._random = random
        self._n_partitions = n_partitions
        self._topics: dict[str, _Topic] = {}
        self._paused: set[str] = set()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, epochs: Mapping[str, int], events_per_s: float) -> None:
        """Publish a count of every shelf, then *events_per_s*, until cancelled.

        Raises:
            KafkaError: The broker refuses a record for good.
            ValueError: It has another number of records than it confirmed.
        """
        try:
            for topic in INPUTS:
                await self._open(topic.name, epochs[topic.name])
            self._publish(self._trade.opening(_now_ms()))
            coming = asyncio.create_task(self._come(events_per_s))
            try:
                await asyncio.wait([coming, self._failed], return_when=asyncio.FIRST_COMPLETED)
                for each in (coming, self._failed):
                    if each.done():
                        each.result()
            finally:
                coming.cancel()
        finally:
            await asyncio.gather(*(topic.stop() for topic in self._topics.values()))

    async def _come(self, events_per_s: float) -> None:
        async for n_due in arrivals(events_per_s, float("inf"), self._random):
            self._publish([self._trade.draw(_now_ms()) for _ in range(n_due)])

    def spoil(self, share: float) -> None:
        """Make so much of what is drawn from now on bad input."""
        self._bad_share = share

    def hold(self) -> None:
        """Draw nothing more; what was drawn is still sent."""
        self._paused = {topic.name for topic in INPUTS}

    def pause(self, topic: str) -> None:
        """Send nothing more to *topic*."""
        self._paused.add(topic)

    def unpause(self, topic: str) -> None:
        """Go on with *topic* as if nothing had been."""
        self._paused.discard(topic)

    async def resume(self, topic: str, epoch: int) -> None:
        """Go on with *topic* after it was created again."""
        await self._topics[topic].stop()
        self._books.renew(topic)
        await self._open(topic, epoch)
        self._paused.discard(topic)

    def is_sent(self, topic: str) -> bool:
        """Whether the broker has all that was drawn for *topic*."""
        return not any(lane.waiting for lane in self._topics[topic].lanes)

    def oldest_waiting_s(self, at: TP) -> float | None:
        """Return when the oldest event was due that the broker does not have."""
        topic, partition = at
        waiting = self._topics[topic].lanes[partition].waiting if topic in self._topics else None
        return waiting[0].due_s if waiting else None

    async def _open(self, name: str, epoch: int) -> None:
        topic = _Topic(name, self._n_partitions, self._bootstrap, epoch)
        self._topics[name] = topic
        for sender in await topic.start(self._books):
            sender.add_done_callback(self._sender_ended)

    def _sender_ended(self, sender: asyncio.Task[None]) -> None:
        error = None if sender.cancelled() else sender.exception()
        if error is not None and not self._failed.done():
            self._failed.set_exception(error)

    def _publish(self, drawn: Sequence[Drawn]) -> None:
        due_s = time.monotonic()
        for each in drawn:
            if each.topic.name in self._paused:
                continue
            value: bytes | None = each.value
            flags = OWED if each.owed else 0
            if self._bad_share and self._random.random() < self._bad_share:
                value, flags = self._poison.spoiled(each), BAD
            lane = self._topics[each.topic.name].lanes[partition_of(each.key, self._n_partitions)]
            lane.put(Given(each.key, value, due_s, flags))


def _now_ms() -> int:
    return int(time.time() * 1000)
