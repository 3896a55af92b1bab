"""A store's past from its own topics: what workers fold, read once to the end as of now."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import numpy as np

from stream.broker_topics import BrokerTopics, shown
from stream.codec import Reading, decode_clickstream, decode_orders, decode_stock_level, not_after
from stream.domain.applied import ORDERS_TOPIC, STOCK_LEVELS_TOPIC, Source, fingerprint
from stream.domain.events import (
    ClickstreamEvent,
    OrderCompleted,
    OrderEvent,
    OrdersEvent,
    PositionEvent,
    ProductAdded,
    ProductClicked,
    ProductViewed,
    RecommendationClicked,
    StockLevelEvent,
    StockMovement,
)
from stream.domain.movements import movements_of
from stream.domain.trail import Kind
from stream.errors import InvalidEvent, Misconfigured
from stream.kafka.records import InRecord
from stream.model_specs import FORECASTER, RECOMMENDER
from stream.settings import Settings
from stream.topics import EVENTS, ORDERS, STOCK_LEVELS
from stream.training.deeds import Deeds, in_time
from stream.training.shelves import Shelves

#: What each model learns from.
LEARNT_FROM: Mapping[str, Sequence[str]] = {
    RECOMMENDER.name: (EVENTS.name, ORDERS.name),
    FORECASTER.name: (ORDERS.name, STOCK_LEVELS.name),
}
_READ: dict[str, Reading[Any]] = {
    EVENTS.name: decode_clickstream,
    ORDERS.name: decode_orders,
    STOCK_LEVELS.name: decode_stock_level,
}
_Event = ClickstreamEvent | OrdersEvent | StockLevelEvent
_Act = ProductViewed | ProductClicked | RecommendationClicked | ProductAdded
_KINDS: dict[type[_Act], Kind] = {
    ProductViewed: Kind.VIEW,
    ProductClicked: Kind.CLICK,
    RecommendationClicked: Kind.CLICK,
    ProductAdded: Kind.ADD,
}

#: Visitor, product, time, kind, units and price; NaN where that is unknown.
_Row = tuple[str, str, int, int, int, float]


async def read_topics(
    settings: Settings, topics: Sequence[str], *, since_ms: int | None
) -> tuple[Deeds, int]:
    """Return what was done, in order of time, and how many records could not be read.

    An event that its store sent twice counts once. An act takes up to 700 bytes of memory, and 30
    microseconds where a shelf is folded as well.

    Args:
        topics: Of clickstream, orders and stock levels those that are to be learnt from.
        since_ms: Leave out what was appended before; None takes all.

    Raises:
        Misconfigured: No broker answers, or nothing was done.
        TopicMismatch: A topic is not there.
        ReadFailed: The broker did not hand everything over.
    """
    gathered = Gathered(tolerance_ms=int(1000 * settings.future_tolerance_s))
    async with (
        BrokerTopics(settings, topics, purpose="training").scan(*topics, since_ms=since_ms) as scan,
        aclosing(shown(scan, "Reading what was done")) as spans,
    ):
        async for topic, partition, records in spans:
            for record in records:
                gathered.take(record, topic, partition)
    if not gathered.rows:
        raise Misconfigured(f"expected acts in {' and '.join(topics)}, got none")
    return gathered.deeds(), gathered.n_unreadable


class Gathered:
    """What was read so far; each event once, as workers tell a repeat.

    Attributes:
        rows: What was done.
        n_unreadable: Records that are no events.
    """

    def __init__(self, *, tolerance_ms: int) -> None:
        self.rows = list[_Row]()
        self.n_unreadable = 0
        self._shelves = Shelves()
        self._seen = set[bytes]()
        self._tolerance_ms = tolerance_ms

    def take(self, record: InRecord, topic: str, partition: int) -> None:
        """Take in what *record* tells, if anything."""
        reading = _READ[topic]
        try:
            event = reading(record, topic, partition)
        except InvalidEvent:
            self.n_unreadable += 1
            return
        if self._is_new(event, f"{topic}/{reading.about(event)}"):
            event = not_after(event, record.timestamp + self._tolerance_ms)
            self._fold(event, partition, record.offset)

    def deeds(self) -> Deeds:
        """Return all of it, in order of time."""
        return replace(_deeds(self.rows), droughts=self._shelves.droughts())

    def _fold(self, event: _Event, partition: int, offset: int) -> None:
        if isinstance(event, PositionEvent):
            self._shelves.told(event, Source(STOCK_LEVELS_TOPIC, partition, 0, offset))
        elif isinstance(event, OrderEvent):
            source = Source(ORDERS_TOPIC, partition, 0, offset)
            for movement in movements_of(event, source):
                self._shelves.moved(movement, source)
                self.rows += _ordered(event.visitor_id, movement)
        elif isinstance(event, _Act):
            product_id, at_ms, kind = event.product_id, event.occurred_at_ms, _KINDS[type(event)]
            self.rows.append((event.visitor_id, product_id, at_ms, kind, 1, math.nan))

    def _is_new(self, event: _Event, whose: str) -> bool:
        told = event.event_id
        if isinstance(event, OrderCompleted):
            told = f"order_completed/{event.order_id}"
        mark = fingerprint(f"{whose}/{told}")
        is_new = mark not in self._seen
        self._seen.add(mark)
        return is_new


def _ordered(visitor_id: str, movement: StockMovement) -> Iterator[_Row]:
    """Yield what a line says of the demand: a sale, or one that never was; a return says nothing."""
    if movement.cause == "return":
        return
    product_id, units, at_ms = movement.product_id, movement.units, movement.occurred_at_ms
    price = math.nan if movement.price is None else movement.price
    if units < 0:
        yield visitor_id, product_id, at_ms, Kind.PURCHASE, -units, price
    else:
        wanted_at_ms = at_ms if movement.wanted_at_ms is None else movement.wanted_at_ms
        yield visitor_id, product_id, min(at_ms, wanted_at_ms), Kind.CANCEL, units, price


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
