"""A store's past from its own topics: what workers fold, read once to the end as of now."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import numpy as np

from stream.broker_topics import BrokerTopics, shown
from stream.codec import Reading, decode_clickstream, decode_orders, not_after
from stream.domain.applied import fingerprint
from stream.domain.events import (
    OrderCompleted,
    ProductAdded,
    ProductClicked,
    ProductViewed,
    RecommendationClicked,
    StoreEvent,
    VisitorEvent,
)
from stream.domain.trail import Kind
from stream.errors import InvalidEvent, Misconfigured
from stream.settings import Settings
from stream.topics import EVENTS, ORDERS
from stream.training.deeds import Deeds, in_time

_READ: dict[str, Reading[Any]] = {EVENTS.name: decode_clickstream, ORDERS.name: decode_orders}
_KINDS: dict[type[VisitorEvent], Kind] = {
    ProductViewed: Kind.VIEW,
    ProductClicked: Kind.CLICK,
    RecommendationClicked: Kind.CLICK,
    ProductAdded: Kind.ADD,
}

#: Visitor, product, time, kind, units and price; NaN where that is unknown.
_Row = tuple[str, str, int, int, int, float]


async def read_topics(settings: Settings, *, since_ms: int | None) -> tuple[Deeds, int]:
    """Return what was done, in order of time, and how many records could not be read.

    An event that its store sent twice counts once. It takes about 250 bytes of memory an act.

    Args:
        since_ms: Leave out what was appended before; None takes all.

    Raises:
        Misconfigured: No broker answers, or nothing was done.
        TopicMismatch: A topic is not there.
        ReadFailed: The broker did not hand everything over.
    """
    topics = BrokerTopics(settings, _READ, purpose="training")
    tolerance_ms = int(1000 * settings.future_tolerance_s)
    rows: list[_Row] = []
    seen, n_unreadable = set[bytes](), 0
    async with (
        topics.scan(*_READ, since_ms=since_ms) as scan,
        aclosing(shown(scan, "Reading what was done")) as spans,
    ):
        async for topic, partition, records in spans:
            for record in records:
                try:
                    event = _READ[topic](record, topic, partition)
                except InvalidEvent:
                    n_unreadable += 1
                    continue
                if _is_new(event, seen):
                    rows += _rows(not_after(event, record.timestamp + tolerance_ms))
    if not rows:
        raise Misconfigured(f"expected acts in {' and '.join(_READ)}, got none")
    return _deeds(rows), n_unreadable


def _is_new(event: StoreEvent, seen: set[bytes]) -> bool:
    told = f"order/{event.order_id}" if isinstance(event, OrderCompleted) else event.event_id
    mark = fingerprint(told)
    is_new = mark not in seen
    seen.add(mark)
    return is_new


def _rows(event: VisitorEvent) -> Iterator[_Row]:
    visitor_id, at_ms = event.visitor_id, event.occurred_at_ms
    if isinstance(event, OrderCompleted):
        for item in event.products:
            price = math.nan if item.price is None else item.price
            yield visitor_id, item.product_id, at_ms, Kind.PURCHASE, item.quantity, price
    elif (kind := _KINDS.get(type(event))) is not None:
        yield visitor_id, event.product_id, at_ms, kind, 1, math.nan  # type: ignore[attr-defined]


def _deeds(rows: list[_Row]) -> Deeds:
    visitors, products, *numbers, prices = zip(*rows, strict=True)
    at_ms, kinds, quantities = (np.array(column, dtype=np.int64) for column in numbers)
    return in_time(
        Deeds(
            np.array(visitors, dtype=object),
            np.array(products, dtype=object),
            at_ms,
            kinds,
            quantities,
            np.array(prices, dtype=np.float64),
        )
    )
