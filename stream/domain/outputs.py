"""What goes out, as frozen values; ``schemas/`` is generated from them.

Every output can be recognised when it comes again: its id is computed from what it answers,
never drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Annotated, Literal

from msgspec import Meta, Struct

from stream.domain.events import Id, TimeMs

Strategy = Literal["session_transformer", "bought_with", "trending"]
#: What a planner may have to deal with; a product has one alert of each at a time.
Situation = Literal["demand", "excess", "return", "shortage"]
AlertKind = Literal[
    "out_of_stock",
    "stockout_risk",
    "low_stock",
    "oversold",
    "back_in_stock",
    "demand_spike",
    "overstock",
    "dead_stock",
]
AlertStatus = Literal["opened", "updated", "snoozed", "resolved"]
Severity = Literal["info", "warning", "high", "critical"]
Date = Annotated[
    str,
    Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="ISO 8601 date, where the store is"),
]
Rank = Annotated[int, Meta(ge=1, le=1000, description="1 is the best")]
Ordinal = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Amount = Annotated[float, Meta(ge=0)]


class Cover(Struct, frozen=True, gc=False):
    """The records of one partition that an output answers, first and last included."""

    topic: str
    partition: Count
    first_offset: Count
    last_offset: Count


class RecommendedItem(Struct, frozen=True, gc=False):
    """One product of a recommendation. Scores order the items of one answer and mean no more."""

    rank: Rank
    product_id: Id
    score: float
    reason: str
    name: str | None = None


class Recommendation(Struct, frozen=True, gc=False, kw_only=True):
    """What to show a visitor next.

    Attributes:
        covers: The source records this answers: an event is answered when an output of its
            visitor covers it. The same covers again mean the same answer again.
        degraded: Whether the model was away and the answer comes from counts.
        variant: Whose answers the visitor is to get, also where the model was away: a model with
            its version, marked where that is on trial, or "counts". Empty in answers from before
            there were variants.
        as_of_ms: Time of the latest event known of the visitor.
        simulated: Whether an event it answers was simulated.
    """

    recommendation_id: Id
    visitor_id: Id
    covers: tuple[Cover, ...]
    items: tuple[RecommendedItem, ...]
    strategy: Strategy
    model: str
    model_version: str
    degraded: bool
    created_at_ms: TimeMs
    as_of_ms: TimeMs
    variant: Annotated[str, Meta(max_length=160)] = ""
    simulated: bool = False


class LocationFigures(Struct, frozen=True):
    """A product's position at one location.

    Attributes:
        counted: Whether it was ever counted; if not, on hand is what was moved since the last count
            of any location, and belongs to one of the others.
    """

    location: str
    on_hand: int
    reserved: Count
    inbound: Count
    counted: bool = True


class StockFigures(Struct, frozen=True, kw_only=True):
    """The arithmetic behind a stock alert, so that a planner can redo it.

    ``reorder_point = daily_demand * (lead_time_days + review_days) + safety_stock``. An order is
    suggested where on hand less reserved, and inbound, come to no more than the reorder point: up to
    the reorder point and the demand until the next order, in whole packs, at least the minimum order.

    Attributes:
        on_hand: Units on the shelf, over all locations; below 0 is oversold.
        reserved: Of these, set aside: not for sale.
        inbound: Ordered and on the way, without what was received since.
        next_delivery_date: When the first of these is expected; null without a date. One that has
            passed says that the delivery is late.
        daily_demand: Expected units a day until a reorder could arrive.
        review_days: Days until somebody next looks, added to the lead time.
        days_of_cover_p50: Days that what can be sold now lasts at median demand; null for more than
            a year.
        days_of_cover_p90: The same at the demand that one case in ten exceeds.
        stock_out_date_p50: When nothing is left at median demand, deliveries that are dated counted
            in when they are due.
        stock_out_date_p90: The same at the demand that one case in ten exceeds.
        service_level: Share of cases in which the reorder point covers lead time and review.
        safety_stock: Units beyond the expected demand, rounded up, that keep the service level; below 0
            for a level at which less than that is held.
        suggested_quantity: Units to order now, inbound ones already taken off.
        pack_size: Units of a pack; null where none is known.
        minimum_order: Units that a supplier delivers at least; null where none is known.
        overstock_days: Days for which so many may be there, or on the way, and no more.
        excess_units: Units beyond what is expected to be wanted over that time.
        units_today: Units ordered today so far.
        usual_daily: Units ordered on an ordinary day, over the weeks before today.
        days_since_sale: Days since one was last sold, or could be; null where none ever was.
        revenue_at_risk_per_day: Daily demand at the current price where it may not be met, 0 where it
            will be; null without a price. Sort alerts by it.
        locations: Where events name locations, the position at each.
    """

    on_hand: int
    reserved: Count
    inbound: Count
    next_delivery_date: Date | None
    daily_demand: Amount
    lead_time_days: Amount
    review_days: Amount
    days_of_cover_p50: Amount | None
    days_of_cover_p90: Amount | None
    stock_out_date_p50: Date | None
    stock_out_date_p90: Date | None
    service_level: Amount
    reorder_point: Count
    safety_stock: int
    suggested_quantity: Count
    pack_size: Count | None
    minimum_order: Count | None
    overstock_days: Amount
    excess_units: Count
    units_today: Count
    usual_daily: Amount
    days_since_sale: Count | None
    revenue_at_risk_per_day: Amount | None
    locations: tuple[LocationFigures, ...] = ()


class StockAlert(Struct, frozen=True, kw_only=True):
    """A situation of a product: one alert from opening to resolution, told again when it matters.

    The record's key is situation and product, so that the compacted topic holds the present state
    of each: see :func:`alert_key`.

    Attributes:
        alert_id: The same for every message about one situation; with ``revision`` it names the
            message, so a message that comes twice is recognised.
        situation: ``shortage`` (oversold, out_of_stock, stockout_risk, low_stock), ``return``
            (back_in_stock), ``demand`` (demand_spike) or ``excess`` (overstock, dead_stock).
        kind: ``oversold``: more was promised than is there. ``out_of_stock``: nothing can be sold.
            ``stockout_risk``: it may run out before a reorder could arrive. ``low_stock``: time to
            order. ``back_in_stock``: can be sold again. ``demand_spike``: far more is wanted today
            than usual. ``overstock``: lasts far longer than is planned. ``dead_stock``: nobody buys
            it. It may change within its situation while the alert is open.
        status: ``snoozed`` says that what is on the way will do, and nothing is to be done before
            ``snoozed_until``; it may be the first message. ``resolved`` is the last.
        revision: 1 for the first message, then one more for each.
        figures: As of ``occurred_at_ms``.
        explanation: Sentences for a planner.
        degraded: Whether the forecast came from past sales because the model was away.
        opened_at_ms: Event time at which the situation began.
        occurred_at_ms: Event time of this message.
    """

    alert_id: Id
    product_id: Id
    situation: Situation
    kind: AlertKind
    status: AlertStatus
    severity: Severity
    revision: Ordinal
    figures: StockFigures
    explanation: str
    model: str
    model_version: str
    degraded: bool
    opened_at_ms: TimeMs
    occurred_at_ms: TimeMs
    created_at_ms: TimeMs
    snoozed_until: Date | None = None
    name: str | None = None


class ProductState(Struct, frozen=True, kw_only=True):
    """What every worker is told of a product; the last one of a product counts.

    Attributes:
        on_hand: None until the shelf was counted.
        available: On hand without what is set aside; None until the shelf was counted.
        units_7d: Units sold on the last seven days, today included.
        bought_with: Products of the same orders, most often first.
        overstocked: Whether far more of it is there than sells.
    """

    product_id: Id
    sold_out: bool
    on_hand: int | None = None
    available: int | None = None
    units_7d: Count = 0
    bought_with: tuple[Id, ...] = ()
    name: str | None = None
    price: float | None = None
    overstocked: bool = False


def recommendation_id(visitor_id: str, covers: Sequence[Cover], epochs: Sequence[int]) -> str:
    """Return the id of the answer to *covers*: answering again gives it again.

    *epochs* are those of their topics: one that is created again has the same offsets again.
    """
    if len(covers) == 1:
        return _digest(f"{visitor_id}\x00{_range(covers[0], epochs[0])}")
    return _digest("\x00".join([visitor_id, *sorted(map(_range, covers, epochs))]))


def alert_id(
    product_id: str, known_since_day: int, episode: int, situation: Situation = "shortage"
) -> str:
    """Return the id of the *episode*-th time that a product known since a day was in *situation*."""
    of = "" if situation == "shortage" else f"\x00{situation}"
    return _digest(f"{product_id}\x00{known_since_day}\x00{episode}{of}")


def alert_key(product_id: str, situation: Situation) -> bytes:
    """Return the key of a product's alerts about *situation*: ``shortage/`` and the product's id.

    Their partition is that of the product, so that all of a product are in one, in order.
    """
    return f"{situation}/{product_id}".encode()


def _range(cover: Cover, epoch: int) -> str:
    return f"{cover.topic}/{epoch}/{cover.partition}/{cover.first_offset}-{cover.last_offset}"


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=12).hexdigest()
