"""What state must be: the input topics folded offline, in plain order, by the domain alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from stream.domain.applied import EVENTS_TOPIC, ORDERS_TOPIC, STOCK_LEVELS_TOPIC, Source
from stream.domain.events import (
    ClickstreamEvent,
    OrderEvent,
    OrdersEvent,
    StockLevelEvent,
    StockMovement,
)
from stream.domain.movements import movements_of
from stream.domain.product_folding import apply_level, apply_movement
from stream.domain.products import Product
from stream.domain.sessions import Session, SessionEvent, advance, is_resend
from stream.kafka.partitioning import partition_of
from stream.topics import EVENTS, ORDERS, STOCK_LEVELS
from tests.harness.events import N_PARTITIONS
from tests.harness.store import Store

_VISITOR_TOPICS = (
    (EVENTS_TOPIC, EVENTS, msgspec.json.Decoder(ClickstreamEvent).decode),
    (ORDERS_TOPIC, ORDERS, msgspec.json.Decoder(OrdersEvent).decode),
)
_decode_level = msgspec.json.Decoder(StockLevelEvent).decode

Sessions = dict[tuple[int, str], Session]
Products = dict[tuple[int, str], Product]


def fold(store: Store) -> tuple[Sessions, Products]:
    """Return every session and product by partition and key; products without their alerts."""
    epochs = store.epochs()
    sessions: Sessions = {}
    products: Products = {}
    for event, source in _visitor_events(store, epochs):
        key = source.partition, event.visitor_id
        sessions[key] = advance(sessions.get(key, Session()), event, source)
        if isinstance(event, OrderEvent) and not is_resend(sessions[key], event, source):
            _move(products, movements_of(event, source))
    for partition, record in store.records(STOCK_LEVELS):
        level = _decode_level(record.value or b"")
        source = Source(STOCK_LEVELS_TOPIC, partition, epochs[STOCK_LEVELS.name], record.offset)
        at = partition, level.product_id
        products[at] = apply_level(products.get(at, Product(level.product_id)), level, source)
    return sessions, products


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


def without_alerts(products: Products) -> Products:
    """Return *products* as an offline fold knows them: it assesses nothing."""
    return {key: replace(product, alert=None) for key, product in products.items()}


def _visitor_events(
    store: Store, epochs: Mapping[str, int]
) -> Iterator[tuple[SessionEvent, Source]]:
    for number, topic, decode in _VISITOR_TOPICS:
        for partition, record in store.records(topic):
            source = Source(number, partition, epochs[topic.name], record.offset)
            yield decode(record.value or b""), source


def _move(products: Products, movements: list[StockMovement]) -> None:
    for movement in movements:
        key = movement.product_id
        at = partition_of(key.encode(), N_PARTITIONS), key
        products[at] = apply_movement(products.get(at, Product(key)), movement)
