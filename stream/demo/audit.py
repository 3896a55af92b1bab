"""The audit: what was sent and what became of it, as the topics themselves say.

Nothing here asks the worker or the sender's view: an event is *answered* when a recommendation
of its visitor covers it, *folded* when the changelog says that its record was applied, else
*dead-lettered*, else lost. Stricter than that: an event that is owed an answer counts as lost
without one, even when folded; and an order counts as lost when one of its lines moved no product.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from stream.demo.ledger import Chunk, PartitionBook, percentiles
from stream.domain.applied import EVENTS_TOPIC, ORDERS_TOPIC, STOCK_LEVELS_TOPIC
from stream.domain.events import StockMovement
from stream.domain.outputs import Recommendation, StockAlert
from stream.state import products as stored_products
from stream.state import sessions as stored_sessions
from stream.topics import (
    DEAD_LETTERS,
    EVENTS,
    INPUTS,
    ORDERS,
    PRODUCTS_CHANGELOG,
    RECOMMENDATIONS,
    SESSIONS_CHANGELOG,
    STOCK_ALERTS,
    STOCK_LEVELS,
    STOCK_MOVEMENTS,
)

TP = tuple[str, int]
_NAMES = {
    EVENTS_TOPIC: EVENTS.name,
    ORDERS_TOPIC: ORDERS.name,
    STOCK_LEVELS_TOPIC: STOCK_LEVELS.name,
}
_DEAD_LETTERS = frozenset(topic.name for topic in DEAD_LETTERS)
_SOURCE = ("dl-topic", "dl-partition", "dl-offset")
_recommendation = msgspec.json.Decoder(Recommendation, strict=True)
_alert = msgspec.json.Decoder(StockAlert, strict=True)
_movement = msgspec.json.Decoder(StockMovement, strict=True)


@dataclass(frozen=True, slots=True)
class Lost:
    """Sent events without a trace, each counted under the first reason that holds."""

    missing: int
    unanswered: int
    unfolded: int
    unmoved: int

    @property
    def total(self) -> int:
        return self.missing + self.unanswered + self.unfolded + self.unmoved


@dataclass(slots=True)
class Outputs:
    """Counts of what came out."""

    recommendations: int = 0
    degraded: int = 0
    repeats: int = 0
    dead_letters: int = 0
    invalid: int = 0
    expired: int = 0
    strategies: Counter[str] = field(default_factory=Counter)
    alerts: Counter[str] = field(default_factory=Counter)
    repeated_alerts: int = 0


class Audit:
    """Takes in what the topics hold, inputs first, and says what is unaccounted for."""

    def __init__(self, *, n_partitions: int, sent: Mapping[TP, int]) -> None:
        """*sent* says how many records each input partition must have, as confirmed."""
        self.n_partitions = n_partitions
        self._sent = dict(sent)
        self.books: dict[TP, PartitionBook] = {}
        for topic in INPUTS:
            for partition in range(n_partitions):
                self.books[topic.name, partition] = PartitionBook()
        self.outputs = Outputs()
        self._state: dict[str, dict[bytes, bytes]] = {}
        self._expired: list[tuple[str, bytes, bytes]] = []
        self._moved: set[tuple[int, int, int]] = set()
        self._seen_alerts: set[tuple[str, int]] = set()

    def latency_ms(self) -> dict[str, float | None]:
        """Percentiles over all answered events, from append to the first answer's append."""
        latencies = [each for book in self.books.values() for each in book.latencies()]
        p50, p99, worst = percentiles(latencies, (0.5, 0.99, 1.0))
        return {"p50": p50, "p99": p99, "max": worst}

    # --- reading -------------------------------------------------------------------------------

    def take_input(self, chunk: Chunk) -> None:
        """Write down what was sent."""
        book = self.books[chunk.topic, chunk.partition]
        for record in chunk.records:
            book.record(record)

    def take(self, chunk: Chunk) -> None:
        """Write down what became of it."""
        if chunk.topic in (SESSIONS_CHANGELOG.name, PRODUCTS_CHANGELOG.name):
            self._take_state(chunk)
        elif chunk.topic in _DEAD_LETTERS:
            self._take_dead_letters(chunk)
        else:
            take = {
                RECOMMENDATIONS.name: self._take_recommendation,
                STOCK_ALERTS.name: self._take_alert,
                STOCK_MOVEMENTS.name: self._take_movement,
            }[chunk.topic]
            for record in chunk.records:
                try:
                    take(record.value or b"", record.timestamp)
                except msgspec.DecodeError:
                    self.outputs.invalid += 1

    def _take_recommendation(self, value: bytes, at_ms: int) -> None:
        answer = _recommendation.decode(value)
        key = answer.visitor_id.encode()
        n_new = 0
        for cover in answer.covers:
            book = self.books[cover.topic, cover.partition]
            n_new += book.covered(key, cover.first_offset, cover.last_offset, at_ms)
        self.outputs.recommendations += 1
        self.outputs.degraded += answer.degraded
        self.outputs.repeats += n_new == 0
        self.outputs.strategies[answer.strategy] += 1

    def _take_alert(self, value: bytes, _: int) -> None:
        if not value:
            return
        alert = _alert.decode(value)
        self.outputs.alerts[f"{alert.kind}/{alert.status}"] += 1
        self.outputs.repeated_alerts += (alert.alert_id, alert.revision) in self._seen_alerts
        self._seen_alerts.add((alert.alert_id, alert.revision))

    def _take_movement(self, value: bytes, _: int) -> None:
        origin = _movement.decode(value).origin
        self._moved.add((origin.partition, origin.offset, origin.line))

    def _take_state(self, chunk: Chunk) -> None:
        state = self._state.setdefault(chunk.topic, {})
        for record in chunk.records:
            if record.key is not None and record.value is not None:
                state[record.key] = record.value
                continue
            # Expired by its time to live: what was folded before stays folded, also when the key
            # comes back and begins anew.
            self.outputs.expired += 1
            if (value := state.pop(record.key or b"", None)) is not None:
                self._expired.append((chunk.topic, record.key or b"", value))

    def _take_dead_letters(self, chunk: Chunk) -> None:
        for record in chunk.records:
            self.outputs.dead_letters += 1
            source = {name: value.decode() for name, value in record.headers if name in _SOURCE}
            book = self.books.get((source["dl-topic"], int(source["dl-partition"])))
            if book is not None:
                book.dead(int(source["dl-offset"]))

    # --- judging -------------------------------------------------------------------------------

    def lost(self) -> Lost:
        """What is unaccounted for, as far as was read."""
        folded, moved_upto = self._folded()
        missing = unanswered = unfolded = unmoved = 0
        for at, book in self.books.items():
            missing += max(0, self._sent.get(at, 0) - len(book))
            open_ = set(book.unanswered())
            outside = set(book.unfolded(folded.get(at, {}))) - open_
            unanswered += len(open_)
            unfolded += len(outside)
            unmoved += sum(
                offset not in open_ and offset not in outside
                for offset in self._unmoved(at, book, moved_upto)
            )
        return Lost(missing, unanswered, unfolded, unmoved)

    def _folded(self) -> tuple[dict[TP, dict[bytes, int]], dict[tuple[int, str], tuple[int, int]]]:
        """Last offset folded by topic-partition and key; last order line by partition, product."""
        folded: dict[TP, dict[bytes, int]] = {}
        moved: dict[tuple[int, str], tuple[int, int]] = {}
        for topic, key, value in [*self._expired, *self._kept()]:
            if topic == SESSIONS_CHANGELOG.name:
                applied = stored_sessions.load(value).applied
            else:
                product = stored_products.load(value)
                applied = product.applied
                for origin in product.origins:
                    place = origin.partition, product.product_id
                    moved[place] = max(moved.get(place, (-1, -1)), (origin.offset, origin.line))
            for mark in applied:
                offsets = folded.setdefault((_NAMES[mark.topic], mark.partition), {})
                offsets[key] = max(offsets.get(key, -1), mark.offset)
        return folded, moved

    def _kept(self) -> Iterator[tuple[str, bytes, bytes]]:
        for topic, values in self._state.items():
            yield from ((topic, key, value) for key, value in values.items())

    def _unmoved(
        self, at: TP, book: PartitionBook, moved_upto: Mapping[tuple[int, str], tuple[int, int]]
    ) -> Iterable[int]:
        """Orders of which a line was not re-keyed, or not folded into its product."""
        _, partition = at
        for offset, product_ids in book.moved.items():
            for line, product_id in enumerate(product_ids):
                reached = moved_upto.get((partition, product_id), (-1, -1))
                if (partition, offset, line) not in self._moved or reached < (offset, line):
                    yield offset
                    break
