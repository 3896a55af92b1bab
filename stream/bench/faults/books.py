"""What was sent, as the load itself recorded it, and what came out, as the topics say.

The input topics cannot be asked afterwards: one that is created again has forgotten what was in it.

**The rule for repeats.** A consumer keeps, for each visitor and partition of an input topic, the
last offset that an answer covered. An answer none of whose covers goes beyond it has come before;
where one does go beyond, the answer is news. What the rule says is compared with what is true: an
answer that covers no event for the first time is no news, one that does is. Where they differ the
answer is an *unrecognised repeat*: a consumer would show an old answer as new, or throw a new one
away. An order line is known by its origin, an alert by its id and revision. When a topic is created
again its offsets begin again, and so must what the consumer keeps of it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from stream.bench.faults.folding import Fold
from stream.bench.faults.line_book import LineBook
from stream.bench.faults.partition_book import BAD, OWED, Covered, PartitionBook
from stream.domain.outputs import Recommendation, StockAlert
from stream.kafka.records import InRecord
from stream.topics import (
    DEAD_LETTERS,
    INPUTS,
    ORDERS,
    PRODUCTS_CHANGELOG,
    RECOMMENDATIONS,
    SESSIONS_CHANGELOG,
    STOCK_ALERTS,
    STOCK_MOVEMENTS,
)

#: A topic and one of its partitions.
TP = tuple[str, int]
#: Outputs and state; what is read to tell what became of the input.
OUTPUTS = (
    RECOMMENDATIONS,
    STOCK_ALERTS,
    STOCK_MOVEMENTS,
    SESSIONS_CHANGELOG,
    PRODUCTS_CHANGELOG,
    *DEAD_LETTERS,
)
_DEAD_LETTERS = frozenset(topic.name for topic in DEAD_LETTERS)
_recommendation = msgspec.json.Decoder(Recommendation)
_alert = msgspec.json.Decoder(StockAlert)


class Given(NamedTuple):
    """One record that the broker has.

    Attributes:
        flags: ``OWED`` where its visitor is owed an answer, ``BAD`` where it is no event.
    """

    key: bytes
    value: bytes | None
    due_s: float
    flags: int


@dataclass(slots=True)
class Said:
    """Counts of what came out.

    Attributes:
        repeats: By kind of output, those that had come before, in whole or in part.
        retold_alerts: Alerts that came again under their id and revision and said something else.
    """

    answers: int = 0
    degraded: int = 0
    dead_letters: int = 0
    unrecognised_repeats: int = 0
    retold_alerts: int = 0
    repeats: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))


class Books:
    """The books of one run; kept by one thread."""

    def __init__(self, n_partitions: int, *, fold: Fold | None = None) -> None:
        self.said = Said()
        self.n_sent = 0
        self.partitions: dict[TP, PartitionBook] = {
            (topic.name, partition): PartitionBook()
            for topic in INPUTS
            for partition in range(n_partitions)
        }
        self.fold = fold or Fold(n_partitions)
        #: Each revision of each alert: what it said.
        self.alerts: defaultdict[str, dict[int, tuple[str, str]]] = defaultdict(dict)
        #: The last alert of each product about a shortage.
        self.last_alert: dict[str, StockAlert] = {}
        #: The last stored value of each key, by topic and partition.
        self.stored: defaultdict[TP, dict[bytes, bytes]] = defaultdict(dict)
        self.next_offset: dict[TP, int] = {}
        self.lines = LineBook()
        self._closed: list[str] = []
        self._early: defaultdict[TP, deque[InRecord]] = defaultdict(deque)
        self._readers: dict[str, Callable[[InRecord], bool]] = {
            RECOMMENDATIONS.name: self._answered,
            STOCK_ALERTS.name: self._alerted,
            STOCK_MOVEMENTS.name: self._line_moved,
            **dict.fromkeys(_DEAD_LETTERS, self._set_aside),
        }

    # -- what was sent

    def sent(self, at: TP, first_offset: int, given: Iterable[Given], *, epoch: int) -> None:
        """Write down records of one partition that the broker has, from *first_offset* on."""
        topic, partition = at
        book = self.partitions[at]
        for offset, (key, value, due_s, flags) in enumerate(given, first_offset):
            book.sent(offset, key, due_s, flags)
            self.n_sent += 1
            if flags & BAD:
                continue
            self.fold.take(topic, partition, offset, epoch=epoch, value=value or b"")
            if topic == ORDERS.name:
                self.lines.sent((partition, epoch, offset), value or b"")
        for output in [each for each, waiting in self._early.items() if waiting]:
            self._take_early(output)

    def renew(self, topic: str) -> None:
        """Begin anew with *topic*, which was created again; what it still owed stays lost."""
        for (name, partition), book in self.partitions.items():
            if name == topic:
                self._closed += [f"{topic}[{partition}]@{n}" for n in book.unaccounted()]
                self.partitions[name, partition] = PartitionBook()

    # -- what came out

    def take(self, at: TP, record: InRecord) -> None:
        """Write down one output, or what is stored; the records of a partition in offset order.

        What answers a record that the load has not heard of yet waits for that.
        """
        self.next_offset[at] = record.offset + 1
        topic, _ = at
        if topic in (SESSIONS_CHANGELOG.name, PRODUCTS_CHANGELOG.name):
            self._store(at, record)
            return
        self._early[at].append(record)
        self._take_early(at)

    def _take_early(self, at: TP) -> None:
        waiting, read = self._early[at], self._readers[at[0]]
        while waiting and read(waiting[0]):
            waiting.popleft()

    def _store(self, at: TP, record: InRecord) -> None:
        key, value = record.key or b"", record.value
        if value is None:
            self.stored[at].pop(key, None)
        else:
            self.stored[at][key] = value

    def _answered(self, record: InRecord) -> bool:
        answer = _recommendation.decode(record.value or b"")
        found: list[Covered] = []
        books = [(self.partitions[cover.topic, cover.partition], cover) for cover in answer.covers]
        if any(cover.last_offset >= len(book) for book, cover in books):
            return False
        key, by_model = answer.visitor_id.encode(), not answer.degraded
        found = [book.covered(key, cover, by_model=by_model) for book, cover in books]
        self.said.answers += 1
        self.said.degraded += answer.degraded
        self.said.repeats["answers"] += any(each.n_old for each in found)
        is_news = any(each.n_new for each in found)
        self.said.unrecognised_repeats += is_news != any(each.goes_on for each in found)
        return True

    def _set_aside(self, record: InRecord) -> bool:
        story = {name: value.decode() for name, value in record.headers if name.startswith("dl-")}
        at, offset = (story["dl-topic"], int(story["dl-partition"])), int(story["dl-offset"])
        book = self.partitions.get(at)
        if book is not None and offset >= len(book):
            return False
        self.said.dead_letters += 1
        if book is not None:
            self.said.repeats["dead letters"] += not book.died(offset)
        return True

    def _line_moved(self, record: InRecord) -> bool:
        self.said.repeats["order lines"] += not self.lines.moved(record.value or b"")
        return True

    def _alerted(self, record: InRecord) -> bool:
        if not record.value:
            return True
        alert = _alert.decode(record.value)
        if alert.situation == "shortage":
            self.last_alert[alert.product_id] = alert
        told, says = self.alerts[alert.alert_id], (alert.kind, alert.status)
        if alert.revision in told:
            self.said.repeats["alerts"] += 1
            self.said.retold_alerts += told[alert.revision] != says
        told.setdefault(alert.revision, says)
        return True

    # -- what is open

    def unaccounted(self) -> Iterator[str]:
        """Say which records have neither an answer nor a dead letter, of those that are owed one."""
        yield from self._closed
        for (topic, partition), book in self.partitions.items():
            yield from (f"{topic}[{partition}]@{offset}" for offset in book.unaccounted())

    def ends(self, topic: str) -> dict[int, int]:
        """Return the next offset of each partition of an input topic."""
        return {at[1]: len(book) for at, book in self.partitions.items() if at[0] == topic}

    def n_unread(self) -> int:
        """Return how many outputs wait for the load to hear of what they answer."""
        return sum(map(len, self._early.values()))

    def is_settled(self, topic: str) -> bool:
        """Whether everything sent to *topic* is accounted for."""
        return all(
            book.oldest_open_s() is None for at, book in self.partitions.items() if at[0] == topic
        )


__all__ = ["BAD", "OUTPUTS", "OWED", "Books", "Given", "Said"]
