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
AlertKind = Literal["out_of_stock", "stockout_risk"]
AlertStatus = Literal["opened", "updated", "resolved"]
Severity = Literal["warning", "high", "critical"]
Date = Annotated[
    str, Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="ISO 8601 date, UTC")
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


class StockFigures(Struct, frozen=True, kw_only=True):
    """The arithmetic behind a stock alert, so that a planner can redo it.

    ``reorder_point = daily_demand * (lead_time_days + review_days) + safety_stock``.

    Attributes:
        on_hand: Units on the shelf; below 0 is oversold.
        reserved: Of these, set aside at the last count: not for sale.
        inbound: Ordered and on the way at the last count, without what was received since.
        daily_demand: Expected units a day until a reorder could arrive.
        review_days: Days until somebody next looks, added to the lead time.
        days_of_cover_p50: Days the shelf lasts at median demand; null beyond the horizon asked.
        days_of_cover_p90: The same at the demand that one case in ten exceeds.
        safety_stock: Units beyond the expected demand that keep the service level.
        suggested_quantity: Units to order now, inbound ones already taken off.
        revenue_at_risk_per_day: Daily demand at the current price; null without a price. Sort
            alerts by it.
    """

    on_hand: int
    reserved: Count
    inbound: Count
    daily_demand: Amount
    lead_time_days: Amount
    review_days: Amount
    days_of_cover_p50: Amount | None
    days_of_cover_p90: Amount | None
    stock_out_date_p50: Date | None
    stock_out_date_p90: Date | None
    reorder_point: Count
    safety_stock: Count
    suggested_quantity: Count
    revenue_at_risk_per_day: Amount | None


class StockAlert(Struct, frozen=True, kw_only=True):
    """A shortage: one alert from opening to resolution, told again only when it matters.

    Attributes:
        alert_id: The same for every message about one shortage; with ``revision`` it names the
            message, so a message that comes twice is recognised.
        kind: ``out_of_stock`` when nothing can be sold, ``stockout_risk`` when it may run out
            before a reorder could arrive. It may change while the alert is open.
        revision: 1 for ``opened``, then one more for each message.
        figures: As of ``occurred_at_ms``.
        explanation: One sentence for a planner.
        degraded: Whether the forecast came from past sales because the model was away.
        opened_at_ms: Event time at which the shortage began.
        occurred_at_ms: Event time of this message.
    """

    alert_id: Id
    product_id: Id
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
    name: str | None = None


class ProductState(Struct, frozen=True, kw_only=True):
    """What every worker is told of a product; the last one of a product counts.

    Attributes:
        on_hand: None until the shelf was counted.
        units_7d: Units sold on the last seven days, today included.
        bought_with: Products of the same orders, most often first.
    """

    product_id: Id
    sold_out: bool
    on_hand: int | None = None
    units_7d: Count = 0
    bought_with: tuple[Id, ...] = ()
    name: str | None = None
    price: float | None = None


def recommendation_id(visitor_id: str, covers: Sequence[Cover], epochs: Sequence[int]) -> str:
    """Return the id of the answer to *covers*: answering again gives it again.

    *epochs* are those of their topics: one that is created again has the same offsets again.
    """
    if len(covers) == 1:
        return _digest(f"{visitor_id}\x00{_range(covers[0], epochs[0])}")
    return _digest("\x00".join([visitor_id, *sorted(map(_range, covers, epochs))]))


def alert_id(product_id: str, known_since_day: int, episode: int) -> str:
    """Return the id of the *episode*-th shortage of a product known since a day."""
    return _digest(f"{product_id}\x00{known_since_day}\x00{episode}")


def _range(cover: Cover, epoch: int) -> str:
    return f"{cover.topic}/{epoch}/{cover.partition}/{cover.first_offset}-{cover.last_offset}"


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=12).hexdigest()
