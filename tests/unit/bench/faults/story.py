"""A run as it should be: trade sent, and what a worker without a fault makes of it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from stream.bench.faults.books import BAD, OWED, Books, Given
from stream.bench.faults.folding import Fold
from stream.bench.faults.trade import Trade
from stream.codec import decode_orders, encode
from stream.domain.applied import ORDERS_TOPIC, Source
from stream.domain.events import OrderEvent
from stream.domain.movements import movements_of
from stream.domain.outputs import Cover, Recommendation, recommendation_id
from stream.kafka.partitioning import partition_of
from stream.state import products as stored_products
from stream.state import sessions as stored_sessions
from stream.topics import (
    EVENTS,
    ORDERS,
    PRODUCTS_CHANGELOG,
    RECOMMENDATIONS,
    SESSIONS_CHANGELOG,
    STOCK_MOVEMENTS,
    dead_letter_name,
)
from tests.unit.builders import NOON_MS, Record

N_PARTITIONS = 2
EPOCH = 7
PRODUCTS = tuple(f"p{number}" for number in range(32))


@dataclass
class Story:
    """Outputs by topic and partition, before anything is left out of them or added."""

    books: Books = field(default_factory=lambda: Books(N_PARTITIONS))
    outputs: dict[tuple[str, int], list[Record]] = field(default_factory=dict)
    fold: Fold = field(default_factory=lambda: Fold(N_PARTITIONS))

    def send(self, topic: str, key: bytes, value: bytes, *, owed: bool) -> None:
        """Send one record, and let it be answered and moved as it should."""
        at = topic, partition_of(key, N_PARTITIONS)
        offset = len(self.books.partitions[at])
        self.books.sent(at, offset, [Given(key, value, 0.0, OWED if owed else 0)], epoch=EPOCH)
        self.fold.take(topic, at[1], offset, epoch=EPOCH, value=value)
        if owed:
            self.say(RECOMMENDATIONS.name, answer(key.decode(), at, offset, offset))
        if topic == ORDERS.name and isinstance(event := decode_orders.decode(value), OrderEvent):
            for movement in movements_of(event, Source(ORDERS_TOPIC, at[1], EPOCH, offset)):
                self.say(STOCK_MOVEMENTS.name, encode(movement))

    def spoil(self, key: bytes) -> None:
        """Send bad input, and let it be set aside."""
        at = EVENTS.name, partition_of(key, N_PARTITIONS)
        offset = len(self.books.partitions[at])
        self.books.sent(at, offset, [Given(key, b"{", 0.0, BAD)], epoch=EPOCH)
        told = {"dl-topic": at[0], "dl-partition": str(at[1]), "dl-offset": str(offset)}
        headers = [(name, text.encode()) for name, text in told.items()]
        self.say(dead_letter_name(EVENTS.name), b"{", headers=headers)

    def say(self, topic: str, value: bytes, headers: list[tuple[str, bytes]] | None = None) -> None:
        own = self.outputs.setdefault((topic, 0), [])
        own.append(Record(value, offset=len(own), headers=headers or []))

    def remember(self) -> None:
        """Store what the fold has, as workers would."""
        for (partition, key), session in self.fold.sessions.items():
            value = stored_sessions.dump(session)
            self.store((SESSIONS_CHANGELOG.name, partition), key, value)
        for (partition, key), product in self.fold.products.items():
            value = stored_products.dump(product)
            self.store((PRODUCTS_CHANGELOG.name, partition), key, value)

    def store(self, at: tuple[str, int], key: str, value: bytes) -> None:
        own = self.outputs.setdefault(at, [])
        own.append(Record(value, key.encode(), offset=len(own)))

    def read(self) -> Books:
        """Let the books read all of it."""
        for at, records in self.outputs.items():
            for record in records:
                self.books.take(at, record)
        return self.books


def story(n_events: int = 300) -> Story:
    """Everything answered once, moved once, set aside once, stored as it folds."""
    told, trade = Story(), Trade(PRODUCTS, random.Random(5))
    for drawn in trade.opening(NOON_MS):
        told.send(drawn.topic.name, drawn.key, drawn.value, owed=drawn.owed)
    for number in range(n_events):
        drawn = trade.draw(NOON_MS + number)
        told.send(drawn.topic.name, drawn.key, drawn.value, owed=drawn.owed)
    for number in range(5):
        told.spoil(b"bad-%d" % number)
    told.remember()
    return told


def answer(visitor_id: str, at: tuple[str, int], first: int, last: int) -> bytes:
    covers = (Cover(*at, first, last),)
    return encode(
        Recommendation(
            recommendation_id=recommendation_id(visitor_id, covers, [0] * len(covers)),
            visitor_id=visitor_id,
            covers=covers,
            items=(),
            strategy="trending",
            model="counts",
            model_version="",
            degraded=False,
            created_at_ms=NOON_MS,
            as_of_ms=NOON_MS,
        )
    )
