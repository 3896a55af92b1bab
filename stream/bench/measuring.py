"""One run: fill a topic, start a contestant, wait until it is through, count its answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import msgspec

from stream.bench.contestants import Contestant
from stream.bench.seeding import N_PRODUCTS, N_VISITORS, publish, shelf
from stream.codec import encode
from stream.demo.reading import Progress, TopicsReader
from stream.domain.events import ProductViewed
from stream.domain.outputs import Recommendation
from stream.errors import PartDied
from stream.kafka.administration import Topic, create_topics
from stream.kafka.partitioning import partition_of
from stream.kafka.records import InRecord, OutRecord
from stream.local.children import Child
from stream.settings import Settings

_decode = msgspec.json.Decoder(Recommendation).decode
_LOOK_S = 0.5
_START_TIMEOUT_S = 90.0
#: Slower than this nothing is waited for.
_SLOWEST_PER_S = 200


@dataclass(frozen=True, slots=True)
class Measured:
    """One run's result.

    Attributes:
        n_covered: Events that an answer covers, each counted once.
        seconds: From the first answer's timestamp to the last one's.
        n_first: Answers with the first timestamp: the work for them was done before it.
        answer_bytes: Of an answer's value, on average.
    """

    n_answers: int
    n_covered: int
    seconds: float
    n_first: int = 0
    answer_bytes: float = 0.0

    @property
    def events_per_s(self) -> float:
        return (self.n_answers - self.n_first) / self.seconds if self.seconds > 0 else 0.0


class Bench:
    """Runs contestants in turn on one broker."""

    def __init__(self, settings: Settings, log_folder: Path) -> None:
        self._settings = settings
        self._log_folder = log_folder
        self._bootstrap = settings.bootstrap[0]
        self._n_done: dict[str, int] = {}

    def run(self, contestant: Contestant, n_events: int, number: int) -> Measured:
        """Give *contestant* *n_events* more events, let it answer them, and count the answers.

        Raises:
            PartDied: It ended, or was too slow to wait for.
            msgspec.ValidationError: What it answered is no recommendation.
        """
        create_topics([self._bootstrap], _stamped_by_broker(contestant))
        answers = TopicsReader(self._bootstrap, {contestant.answers: self._settings.partitions})
        for _ in answers.rest(_patience_s(number * n_events)):
            pass
        n_partitions = self._settings.partitions
        views = _views(contestant.events, n_events, number, n_partitions)
        asyncio.run(publish(self._settings, chain(shelf(n_partitions), views)))
        self._n_done[contestant.events] = self._n_done.get(contestant.events, 0) + n_events
        child = contestant.start(self._log_folder)
        try:
            self._wait(contestant, child, n_events)
        finally:
            child.stop(timeout_s=15)
        chunks = answers.rest(_patience_s(n_events))
        return _measured([record for chunk in chunks for record in chunk.records])

    def _wait(self, contestant: Contestant, child: Child, n_events: int) -> None:
        deadline = time.monotonic() + _patience_s(n_events)
        progress = Progress(self._bootstrap, contestant.group_id)
        try:
            while not self._is_through(contestant, child, progress):
                if not child.alive:
                    raise PartDied(f"it ended with code {child.returncode}:\n{child.tail(20)}")
                if time.monotonic() > deadline:
                    patience_s = _patience_s(n_events)
                    raise PartDied(f"it was not through in {patience_s:,.0f} s:\n{child.tail(20)}")
                # A commit is no event for those who ask for it; the contestant's end is.
                child.ends_within(_LOOK_S)
        finally:
            progress.close()

    def _is_through(self, contestant: Contestant, child: Child, progress: Progress) -> bool:
        if contestant.ends_itself:
            return child.returncode == 0
        done = progress.committed().get(contestant.events, 0)
        return done >= self._n_done[contestant.events]


def _patience_s(n_events: int) -> float:
    return _START_TIMEOUT_S + n_events / _SLOWEST_PER_S


def _measured(answers: Sequence[InRecord]) -> Measured:
    stamps = [record.timestamp for record in answers]
    seconds = (max(stamps) - min(stamps)) / 1000 if stamps else 0.0
    covered = {
        (cover.partition, offset)
        for record in answers
        for cover in _decode(record.value or b"").covers
        for offset in range(cover.first_offset, cover.last_offset + 1)
    }
    return Measured(
        n_answers=len(answers),
        n_covered=len(covered),
        seconds=seconds,
        n_first=stamps.count(min(stamps)) if stamps else 0,
        answer_bytes=sum(len(record.value or b"") for record in answers) / max(1, len(answers)),
    )


def _stamped_by_broker(contestant: Contestant) -> list[Topic]:
    """Its topics; Apache Kafka stamps answers itself, and so all contestants' alike.

    Quix Streams would give an answer the timestamp of its event.
    """
    return [
        replace(topic, config={**topic.config, "message.timestamp.type": "LogAppendTime"})
        if topic.name == contestant.answers
        else topic
        for topic in contestant.topics
    ]


def _views(topic: str, n_events: int, number: int, n_partitions: int) -> Iterator[OutRecord]:
    """Views by ``N_VISITORS`` visitors in turn; the same for everybody in the *number*-th run.

    Each run has visitors of its own, so that nobody continues the sessions of the run before.
    """
    for index in range(n_events):
        visitor_id = f"visitor-{number}-{index * 7919 % N_VISITORS}"
        event = ProductViewed(
            event_id=f"{number}-{index}",
            occurred_at_ms=1_700_000_000_000 + (number * n_events + index) * 10,
            visitor_id=visitor_id,
            product_id=str(index * 104_729 % N_PRODUCTS),
        )
        key = visitor_id.encode()
        yield OutRecord(topic, partition_of(key, n_partitions), key, encode(event))
