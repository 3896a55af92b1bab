"""What state must be: the input folded offline, in plain order, by the domain alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from stream.domain.applied import EVENTS_TOPIC, ORDERS_TOPIC, STOCK_LEVELS_TOPIC, Source
from stream.domain.events import ClickstreamEvent, OrderEvent, OrdersEvent, StockLevelEvent
from stream.domain.movements import movements_of
from stream.domain.product_folding import apply_level, apply_movement
from stream.domain.products import Product
from stream.domain.sessions import Session, SessionEvent, advance, is_resend
from stream.kafka.partitioning import partition_of
from stream.topics import EVENTS, ORDERS, STOCK_LEVELS

_NUMBERS = {
    EVENTS.name: EVENTS_TOPIC,
    ORDERS.name: ORDERS_TOPIC,
    STOCK_LEVELS.name: STOCK_LEVELS_TOPIC,
}
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    EVENTS.name: msgspec.json.Decoder(ClickstreamEvent),
    ORDERS.name: msgspec.json.Decoder(OrdersEvent),
    STOCK_LEVELS.name: msgspec.json.Decoder(StockLevelEvent),
}

#: By partition and key.
Sessions = dict[tuple[int, str], Session]
Products = dict[tuple[int, str], Product]


class Fold:
    """Every session and product, as far as records were given; products without their alerts.

    The records of a partition come in offset order, and those of an epoch before the next one's;
    between partitions any order will do, as with the workers.
    """

    def __init__(self, n_partitions: int) -> None:
        """*n_partitions* is that of the topic to which order lines are re-keyed."""
        self.sessions: Sessions = {}
        self.products: Products = {}
        self._n_partitions = n_partitions

    def take(self, topic: str, partition: int, offset: int, *, epoch: int, value: bytes) -> None:
        """Fold in one record.

        Raises:
            msgspec.DecodeError: It is no event of *topic*.
        """
        event = _DECODERS[topic].decode(value)
        source = Source(_NUMBERS[topic], partition, epoch, offset)
        if topic != STOCK_LEVELS.name:
            self._visitor(event, source)
            return
        at = partition, event.product_id
        before = self.products.get(at, Product(event.product_id))
        self.products[at] = apply_level(before, event, source)

    def _visitor(self, event: SessionEvent, source: Source) -> None:
        at = source.partition, event.visitor_id
        session = self.sessions[at] = advance(self.sessions.get(at, Session()), event, source)
        if isinstance(event, OrderEvent) and not is_resend(session, event, source):
            for movement in movements_of(event, source):
                key = movement.product_id
                place = partition_of(key.encode(), self._n_partitions), key
                before = self.products.get(place, Product(key))
                self.products[place] = apply_movement(before, movement)


def differences(
    found: Mapping[tuple[int, str], msgspec.Struct],
    expected: Mapping[tuple[int, str], msgspec.Struct],
) -> list[str]:
    """Say which field of which key is not as *expected*."""
    wrong = [f"{key} only in one of the two" for key in found.keys() ^ expected.keys()]
    for key in found.keys() & expected.keys():
        for name in found[key].__struct_fields__:
            got, want = getattr(found[key], name), getattr(expected[key], name)
            if got != want:
                wrong.append(f"{key}.{name}: expected {want}, got {got}")
    return wrong


def without_alerts(products: Mapping[tuple[int, str], Product]) -> Products:
    """Return *products* as an offline fold knows them: it neither assesses nor observes anything."""
    return {
        key: replace(product, alerts=(), sold_out=(), drought_since_day=None)
        for key, product in products.items()
    }
