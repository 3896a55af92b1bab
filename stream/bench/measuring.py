"""One run: fill a topic, start a contestant, wait until it is through, count its answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
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
from stream.kafka.records import InRecord, OutRecord
from stream.local.children import Child
from stream.pipeline.intake import partition_for
from stream.settings import Settings

#: What is viewed where no model must know it.
PRODUCTS = tuple(str(number) for number in range(N_PRODUCTS))
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
        n_degraded: Answers without a model.
    """

    n_answers: int
    n_covered: int
    seconds: float
    n_first: int = 0
    answer_bytes: float = 0.0
    n_degraded: int = 0

    @property
    def events_per_s(self) -> float:
        return (self.n_answers - self.n_first) / self.seconds if self.seconds > 0 else 0.0


class Bench:
    """Runs contestants in turn on one broker, on views of *products*."""

    def __init__(
        self, settings: Settings, log_folder: Path, products: Sequence[str] = PRODUCTS
    ) -> None:
        self._settings = settings
        self._products = products
        self._log_folder = log_folder
        self._bootstrap = settings.bootstrap[0]
        self._n_done: dict[str, int] = {}

    def run(self, contestant: Contestant, n_events: int, number: int) -> Measured:
        """Give *contestant* *n_events* more events, let it answer them, and count the answers.

        Raises:
            PartDied: It ended, or was too slow to wait for.
            msgspec.ValidationError: What it answered is no recommendation.
        """
        return measured(self.answered(contestant, n_events, number))

    def answered(self, contestant: Contestant, n_events: int, number: int) -> list[InRecord]:
        """Do the same, and return the answers.

        Raises:
            PartDied: It ended, or was too slow to wait for.
        """
        create_topics([self._bootstrap], stamped_by_broker(contestant))
        answers = TopicsReader(self._bootstrap, {contestant.answers: self._settings.partitions})
        for _ in answers.rest(_patience_s(number * n_events)):
            pass
        n_partitions = self._settings.partitions
        views = views_of(self._products, n_events, number)
        records = records_of(contestant.events, views, n_partitions)
        asyncio.run(publish(self._settings, chain(shelf(n_partitions), records)))
        self._n_done[contestant.events] = self._n_done.get(contestant.events, 0) + n_events
        child = contestant.start(self._log_folder)
        try:
            until_through(
                self._bootstrap,
                contestant,
                child,
                n_events=self._n_done[contestant.events],
                patience_s=_patience_s(n_events),
            )
        finally:
            child.stop(timeout_s=15)
        return [record for chunk in answers.rest(_patience_s(n_events)) for record in chunk.records]


def until_through(
    bootstrap: str, contestant: Contestant, child: Child, *, n_events: int, patience_s: float
) -> None:
    """Return when *child* has committed *n_events*, counted from the beginning of its topic.

    Raises:
        PartDied: It ended, or was not through in *patience_s*.
    """
    deadline = time.monotonic() + patience_s
    progress = Progress(bootstrap, contestant.group_id)
    try:
        while not _is_through(contestant, child, progress, n_events):
            if not child.alive:
                raise PartDied(f"it ended with code {child.returncode}:\n{child.tail(20)}")
            if time.monotonic() > deadline:
                raise PartDied(f"it was not through in {patience_s:,.0f} s:\n{child.tail(20)}")
            # A commit is no event for those who ask for it; the contestant's end is.
            child.ends_within(_LOOK_S)
    finally:
        progress.close()


def _is_through(contestant: Contestant, child: Child, progress: Progress, n_events: int) -> bool:
    if contestant.ends_itself:
        return child.returncode == 0
    return progress.committed().get(contestant.events, 0) >= n_events


def _patience_s(n_events: int) -> float:
    return _START_TIMEOUT_S + n_events / _SLOWEST_PER_S


def measured(answers: Sequence[InRecord]) -> Measured:
    """Count *answers*.

    Raises:
        msgspec.ValidationError: One is no recommendation.
    """
    stamps = [record.timestamp for record in answers]
    seconds = (max(stamps) - min(stamps)) / 1000 if stamps else 0.0
    decoded = [_decode(record.value or b"") for record in answers]
    covered = {
        (cover.partition, offset)
        for answer in decoded
        for cover in answer.covers
        for offset in range(cover.first_offset, cover.last_offset + 1)
    }
    return Measured(
        n_answers=len(answers),
        n_covered=len(covered),
        seconds=seconds,
        n_first=stamps.count(min(stamps)) if stamps else 0,
        answer_bytes=sum(len(record.value or b"") for record in answers) / max(1, len(answers)),
        n_degraded=sum(answer.degraded for answer in decoded),
    )


def stamped_by_broker(contestant: Contestant) -> list[Topic]:
    """Return its topics; Apache Kafka stamps events and answers itself, so all answers alike.

    Quix Streams would give an answer the timestamp of its event.
    """
    return [
        replace(topic, config={**topic.config, "message.timestamp.type": "LogAppendTime"})
        if topic.name in {contestant.events, contestant.answers}
        else topic
        for topic in contestant.topics
    ]


def views_of(products: Sequence[str], n_events: int, number: int) -> Iterator[ProductViewed]:
    """Views by ``N_VISITORS`` visitors in turn; the same for everybody in the *number*-th run.

    Each run has visitors of its own, so that nobody continues the sessions of the run before.
    """
    for index in range(n_events):
        yield ProductViewed(
            event_id=f"{number}-{index}",
            occurred_at_ms=1_700_000_000_000 + (number * n_events + index) * 10,
            visitor_id=f"visitor-{number}-{index * 7919 % N_VISITORS}",
            product_id=products[index * 104_729 % len(products)],
        )


def records_of(
    topic: str, events: Iterable[ProductViewed], n_partitions: int
) -> Iterator[OutRecord]:
    """Return *events* as their producer would publish them to *topic*."""
    for event in events:
        key = event.visitor_id.encode()
        yield OutRecord(topic, partition_for(key, n_partitions), key, encode(event))
