"""Values for tests: valid by default, so that a test spells out only the field that matters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from typing_extensions import TypeVar

from stream.domain.applied import EVENTS_TOPIC, ORDERS_TOPIC, STOCK_LEVELS_TOPIC, Source
from stream.domain.calendar import DAY_MS
from stream.domain.events import (
    Item,
    OrderCompleted,
    OrdersEvent,
    Origin,
    PricePlanned,
    ProductAdded,
    ProductClicked,
    ProductRemoved,
    ProductViewed,
    StockLevelSet,
    StockMovement,
)
from stream.domain.sessions import Session, SessionEvent, advance

#: Noon of an ordinary day: 2017-06-01.
NOON_MS = 17_318 * DAY_MS + DAY_MS // 2
TODAY = NOON_MS // DAY_MS

AboutProduct = ProductViewed | ProductClicked | ProductAdded | ProductRemoved
Viewed = TypeVar("Viewed", bound=AboutProduct, default=ProductViewed)
Ordered = TypeVar("Ordered", bound=OrdersEvent, default=OrderCompleted)


def make_view(
    offset: int = 0,
    *,
    product_id: str = "milk",
    kind: type[Viewed] = ProductViewed,  # type: ignore[assignment]
    occurred_at_ms: int | None = None,
    event_id: str | None = None,
    quantity: int = 1,
    visitor_id: str = "ann",
) -> Viewed:
    """A view, or another event about one product, named and timed by *offset* where not told."""
    return kind(
        event_id=event_id or f"event-{offset}",
        occurred_at_ms=NOON_MS + offset if occurred_at_ms is None else occurred_at_ms,
        visitor_id=visitor_id,
        product_id=product_id,
        quantity=quantity,
    )


def make_order(
    offset: int = 0,
    *,
    products: Sequence[str | Item] = ("milk",),
    kind: type[Ordered] = OrderCompleted,  # type: ignore[assignment]
    occurred_at_ms: int | None = None,
    event_id: str | None = None,
    order_id: str | None = None,
    visitor_id: str = "ann",
) -> Ordered:
    """An order of one unit of each of *products*, named and timed by *offset* where not told."""
    return kind(
        event_id=event_id or f"order-event-{offset}",
        occurred_at_ms=NOON_MS + offset if occurred_at_ms is None else occurred_at_ms,
        visitor_id=visitor_id,
        order_id=order_id or f"order-{offset}",
        products=tuple(Item(item) if isinstance(item, str) else item for item in products),
    )


def make_level(
    on_hand: int = 100,
    *,
    event_id: str = "level-0",
    occurred_at_ms: int = NOON_MS,
    as_of_ms: int | None = None,
    reserved: int = 0,
    inbound: int = 0,
    price: float | None = 2.5,
    lead_time_days: float | None = 7.0,
    product_id: str = "milk",
) -> StockLevelSet:
    """A count of the shelf at noon."""
    return StockLevelSet(
        event_id=event_id,
        occurred_at_ms=occurred_at_ms,
        product_id=product_id,
        on_hand=on_hand,
        reserved=reserved,
        inbound=inbound,
        as_of_ms=as_of_ms,
        price=price,
        lead_time_days=lead_time_days,
    )


def make_plan(
    price: float | None = 2.0,
    *,
    event_id: str = "plan-0",
    occurred_at_ms: int = NOON_MS,
    begins_at_ms: int = (TODAY + 1) * DAY_MS,
    ends_at_ms: int = (TODAY + 8) * DAY_MS,
    product_id: str = "milk",
) -> PricePlanned:
    """A price for the week from tomorrow on, told at noon."""
    return PricePlanned(
        event_id=event_id,
        occurred_at_ms=occurred_at_ms,
        product_id=product_id,
        begins_at_ms=begins_at_ms,
        ends_at_ms=ends_at_ms,
        price=price,
    )


def make_movement(
    offset: int = 0,
    *,
    units: int = -1,
    line: int = 0,
    partition: int = 0,
    epoch: int = 1,
    occurred_at_ms: int | None = None,
    bought_with: tuple[str, ...] = (),
    name: str | None = None,
    price: float | None = None,
    product_id: str = "milk",
) -> StockMovement:
    """A sale of one unit, a little after noon."""
    return StockMovement(
        product_id=product_id,
        units=units,
        occurred_at_ms=NOON_MS + 1 + offset if occurred_at_ms is None else occurred_at_ms,
        origin=Origin(partition, epoch, offset, line),
        bought_with=bought_with,
        name=name,
        price=price,
    )


def clicks_at(offset: int, *, partition: int = 0, epoch: int = 1) -> Source:
    """Where a record of the events topic stands."""
    return Source(EVENTS_TOPIC, partition, epoch, offset)


def orders_at(offset: int, *, partition: int = 0, epoch: int = 1) -> Source:
    """Where a record of the orders topic stands."""
    return Source(ORDERS_TOPIC, partition, epoch, offset)


def levels_at(offset: int, *, partition: int = 0, epoch: int = 1) -> Source:
    """Where a record of the stock levels topic stands."""
    return Source(STOCK_LEVELS_TOPIC, partition, epoch, offset)


@dataclass(frozen=True, slots=True)
class Record:
    """A consumed record, as :class:`stream.kafka.records.InRecord` wants it."""

    value: bytes | None
    key: bytes | None = b"ann"
    offset: int = 3
    timestamp: int = NOON_MS
    headers: Sequence[tuple[str, bytes]] = field(default=())


def folded(facts: Iterable[tuple[SessionEvent, Source]], session: Session | None = None) -> Session:
    """The session after *facts*, from an empty one where none is told."""
    after = session or Session()
    for event, source in facts:
        after = advance(after, event, source)
    return after


Fact = TypeVar("Fact")


def deliveries(chance: Random, *streams: Sequence[Fact]) -> list[Fact]:
    """Interleave *streams*, each in its own order, with runs of them delivered again."""
    delivered: list[Fact] = []
    places = [0] * len(streams)
    while unread := [i for i, stream in enumerate(streams) if places[i] < len(stream)]:
        i = chance.choice(unread)
        if places[i] and chance.random() < 0.2:
            places[i] = chance.randrange(places[i])
        delivered.append(streams[i][places[i]])
        places[i] += 1
    return delivered


class Clock:
    """Seconds that go on when a test says so."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s
