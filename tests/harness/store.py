"""A store's topics on a broker: published to, and read to their end by an independent client."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import msgspec
from kafka import KafkaProducer

from stream.demo.reading import TopicsReader
from stream.domain.outputs import Recommendation, StockAlert
from stream.domain.products import Product
from stream.domain.sessions import Session
from stream.kafka.administration import create_topics
from stream.kafka.epochs import topic_epochs
from stream.kafka.records import InRecord, OutRecord, Place
from stream.settings import Settings
from stream.state import products as stored_products
from stream.state import sessions as stored_sessions
from stream.topics import (
    DEAD_LETTERS,
    PRODUCTS_CHANGELOG,
    READ,
    RECOMMENDATIONS,
    SESSIONS_CHANGELOG,
    STOCK_ALERTS,
    TOPICS,
    TopicSpec,
)
from stream.wanted_topics import wanted_topics
from tests.harness.events import N_PARTITIONS
from tests.harness.group import Group
from tests.harness.waiting import until

Value = TypeVar("Value")
_decode_recommendation = msgspec.json.Decoder(Recommendation).decode
_decode_alert = msgspec.json.Decoder(StockAlert).decode


class Sent(NamedTuple):
    """A record that the broker has, and where."""

    place: Place
    record: OutRecord


class Answer(NamedTuple):
    """A recommendation as it lies in its topic."""

    at_ms: int
    value: bytes
    decoded: Recommendation


class DeadLetter(NamedTuple):
    """A record set aside: its original bytes, and the story in its headers."""

    key: bytes | None
    value: bytes | None
    headers: Mapping[str, str]

    @property
    def source(self) -> Place:
        at = self.headers
        return Place(at["dl-topic"], int(at["dl-partition"]), int(at["dl-offset"]))


@dataclass
class Store:
    """All topics of one store. ``read`` takes in what came; the rest tells of what was read."""

    bootstrap: str
    _records: dict[str, list[tuple[int, InRecord]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def __post_init__(self) -> None:
        self._producer = KafkaProducer(
            bootstrap_servers=self.bootstrap, linger_ms=0, max_request_size=4 * 1024 * 1024
        )
        self._reader = TopicsReader(self.bootstrap, {t.name: N_PARTITIONS for t in TOPICS})
        self.group = Group(self.bootstrap)

    def close(self) -> None:
        self._producer.close()
        self.group.close()

    # -- publishing

    def publish(self, *records: OutRecord) -> list[Sent]:
        """Append *records* in order; return once the broker has them all."""
        promises = [self._send(record) for record in records]
        sent = []
        for record, promise in zip(records, promises, strict=True):
            at = promise.get(timeout=30)
            sent.append(Sent(Place(at.topic, at.partition, at.offset), record))
        return sent

    def _send(self, record: OutRecord) -> Any:
        return self._producer.send(
            record.topic,
            value=record.value,
            key=record.key,
            headers=list(record.headers),
            partition=record.partition,
        )

    # -- reading

    def read(self) -> None:
        """Take in all that came since the last call."""
        for chunk in self._reader.rest():
            records = self._records[chunk.topic]
            records.extend((chunk.partition, record) for record in chunk.records)

    def until(self, condition: Callable[[], object], claim: str, *, within_s: float = 30) -> None:
        """Read until *condition* holds of what was read."""

        def holds() -> object:
            self.read()
            return condition()

        until(holds, claim, within_s=within_s)

    def records(self, topic: TopicSpec) -> list[tuple[int, InRecord]]:
        """Return what was read of *topic* with its partition: in offset order, by partition."""
        return sorted(self._records[topic.name], key=lambda each: (each[0], each[1].offset))

    def answers(self) -> list[Answer]:
        """Return the recommendations that were read, each visitor's in order."""
        return [
            Answer(
                record.timestamp, record.value or b"", _decode_recommendation(record.value or b"")
            )
            for _, record in self.records(RECOMMENDATIONS)
        ]

    def answer_to(self, sent: Sent) -> Answer | None:
        """Return the first recommendation that covers *sent*."""
        return first_answers(self.answers(), [sent]).get(sent.place)

    def unanswered(self, sent: Sequence[Sent]) -> list[Place]:
        """Return which of *sent* no recommendation of its visitor covers."""
        found = first_answers(self.answers(), sent)
        return [each.place for each in sent if each.place not in found]

    def alerts(self) -> list[StockAlert]:
        """Return the alerts that were read, each product's in order."""
        return [
            _decode_alert(record.value) for _, record in self.records(STOCK_ALERTS) if record.value
        ]

    def dead_letters(self) -> list[DeadLetter]:
        return [
            DeadLetter(
                record.key,
                record.value,
                {name: value.decode("utf-8", "replace") for name, value in record.headers},
            )
            for topic in DEAD_LETTERS
            for _, record in self.records(topic)
        ]

    def sessions(self) -> dict[tuple[int, str], Session]:
        """Return what the changelog knows of each visitor, by partition."""
        return dict(self._state(SESSIONS_CHANGELOG, stored_sessions.load))

    def products(self) -> dict[tuple[int, str], Product]:
        """Return what the changelog knows of each product, by partition."""
        return dict(self._state(PRODUCTS_CHANGELOG, stored_products.load))

    def _state(
        self, topic: TopicSpec, load: Callable[[bytes], Value]
    ) -> Iterator[tuple[tuple[int, str], Value]]:
        stored: dict[tuple[int, str], bytes | None] = {}
        for partition, record in self.records(topic):
            stored[partition, (record.key or b"").decode()] = record.value
        for key, value in stored.items():
            if value is not None:
                yield key, load(value)

    # -- the group

    def committed(self) -> dict[tuple[str, int], int]:
        """Return the next offset of each partition that the group has committed."""
        return self.group.committed()

    def uncommitted(
        self, committed: Mapping[tuple[str, int], int] | None = None
    ) -> dict[tuple[str, int], int]:
        """Return how many records of each partition read are not *committed*; without it, now."""
        committed = self.committed() if committed is None else committed
        ends: dict[tuple[str, int], int] = defaultdict(int)
        for topic in READ:
            for partition, record in self.records(topic):
                ends[topic.name, partition] = record.offset + 1
        left = {at: end - committed.get(at, 0) for at, end in ends.items()}
        return {at: n_records for at, n_records in left.items() if n_records > 0}

    def settle(self, within_s: float = 40) -> None:
        """Read until the workers have committed every record of the topics they read.

        What is committed is asked before the topics are read: an order's lines are there when the
        order is committed, but need not have been when the topics were read before that.
        """

        def is_settled() -> bool:
            committed = self.committed()
            self.read()
            return not self.uncommitted(committed)

        until(is_settled, "all that was read is committed", within_s=within_s)
        self.read()

    def epochs(self) -> Mapping[str, int]:
        """Return the epoch of each topic, as workers learn it."""
        return asyncio.run(topic_epochs(self.bootstrap.split(","), [topic.name for topic in READ]))


def empty_store(bootstrap: str, *, replication: int = 1) -> Store:
    """Create the topics, of which all copies but one confirm a write; return them, read to no end."""
    wanted = wanted_topics(
        Settings(
            partitions=N_PARTITIONS,
            replication=replication,
            min_insync_replicas=max(1, replication - 1),
        )
    )
    create_topics(bootstrap.split(","), wanted)
    return Store(bootstrap)


def first_answers(answers: Iterable[Answer], sent: Iterable[Sent]) -> dict[Place, Answer]:
    """Return for each of *sent* the first recommendation of its visitor that covers it."""
    wanted: dict[tuple[str, int, bytes], list[int]] = defaultdict(list)
    for (topic, partition, offset), record in sent:
        wanted[topic, partition, record.key or b""].append(offset)
    found: dict[Place, Answer] = {}
    for answer in answers:
        visitor = answer.decoded.visitor_id.encode()
        for cover in answer.decoded.covers:
            for offset in wanted.get((cover.topic, cover.partition, visitor), ()):
                if cover.first_offset <= offset <= cover.last_offset:
                    found.setdefault(Place(cover.topic, cover.partition, offset), answer)
    return found
