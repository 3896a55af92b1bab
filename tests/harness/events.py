"""Events of a store as records to publish; each has an id and a time of its own."""

from __future__ import annotations

import itertools

from msgspec.structs import replace

from stream.codec import HISTORY_HEADER, encode
from stream.domain.events import (
    Item,
    OrderCompleted,
    OrderEvent,
    OrdersEvent,
    ProductViewed,
    StockEvent,
    StockReceived,
    VisitorEvent,
)
from stream.kafka.partitioning import partition_of
from stream.kafka.records import OutRecord
from stream.topics import EVENTS, ORDERS, STOCK_LEVELS, TopicSpec
from tests.unit.builders import NOON_MS, AboutProduct, make_level, make_order, make_view

N_PARTITIONS = 4
HISTORY = ((HISTORY_HEADER, b"1"),)

_ordinals = itertools.count(1)


def view(
    visitor_id: str, product_id: str, *, kind: type[AboutProduct] = ProductViewed
) -> OutRecord:
    """A view, or another event about one product."""
    event = make_view(next(_ordinals), visitor_id=visitor_id, product_id=product_id, kind=kind)
    return record_of(event)


def order(visitor_id: str, *items: Item, kind: type[OrdersEvent] = OrderCompleted) -> OutRecord:
    """An order of *items*, or another event about one."""
    return record_of(make_order(next(_ordinals), visitor_id=visitor_id, products=items, kind=kind))


def count(product_id: str, on_hand: int) -> OutRecord:
    """A count of the shelf."""
    n = next(_ordinals)
    return record_of(
        make_level(
            on_hand, event_id=f"count-{n}", occurred_at_ms=NOON_MS + n, product_id=product_id
        )
    )


def receipt(product_id: str, quantity: int) -> OutRecord:
    """Units that arrived."""
    n = next(_ordinals)
    return record_of(
        StockReceived(
            event_id=f"receipt-{n}",
            occurred_at_ms=NOON_MS + n,
            product_id=product_id,
            quantity=quantity,
        )
    )


def record_of(event: VisitorEvent | StockEvent) -> OutRecord:
    """Return *event* under its own key, where a producer puts it."""
    key = event.visitor_id if isinstance(event, VisitorEvent) else event.product_id
    return raw(_topic_of(event), encode(event), key=key.encode())


def raw(topic: TopicSpec, value: bytes | None, *, key: bytes) -> OutRecord:
    """Return any bytes as a record of *topic*."""
    return OutRecord(topic.name, partition_of(key, N_PARTITIONS), key, value)


def as_history(record: OutRecord) -> OutRecord:
    """Return *record* as one of the store's past."""
    return replace(record, headers=HISTORY)


def _topic_of(event: VisitorEvent | StockEvent) -> TopicSpec:
    if isinstance(event, StockEvent):
        return STOCK_LEVELS
    return ORDERS if isinstance(event, OrderEvent) else EVENTS
