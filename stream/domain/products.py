"""A product: its positions, what it sells, what it is bought with, what was said of it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from stream.domain import demand as days
from stream.domain import positions as at
from stream.domain.applied import Applied
from stream.domain.calendar import UTC_DAYS, Calendar
from stream.domain.changes import after, total
from stream.domain.copurchase import Counts
from stream.domain.demand import DayUnits, Window
from stream.domain.outputs import AlertKind, ProductState, Severity, Situation
from stream.domain.positions import Due, Expected, Position, Receipt
from stream.domain.price_plans import Plans
from stream.domain.prices import Paid
from stream.model_specs import HISTORY_DAYS, PAST_DAYS

#: Of products bought with this one, how many every worker is told.
SHARED_BOUGHT_WITH = 10


class OriginMark(Struct, frozen=True, array_like=True, order=True, gc=False):
    """The last order line folded in from one partition and epoch of the orders topic."""

    partition: int
    epoch: int
    offset: int
    line: int


class AlertState(Struct, frozen=True, array_like=True, gc=False):
    """What was last said about one situation of a product.

    Attributes:
        episode: Ordinal of the situation, from 1; it stays when the situation is over, so that
            the next one gets another id.
        known_since_day: That of the product when it began. A product that was forgotten counts
            from 1 again, and only this tells the two counts apart.
        revision: Ordinal of the last message about it, from 1.
        measure: What that message was about, in the measure of its kind: see ``domain/findings.py``.
        is_told: Whether the broker has confirmed that message; what is in doubt is told again.
        told_at_ms: Event time of that message.
        snoozed_until_day: The day until which nothing is to be done; None where something is.
    """

    episode: int
    revision: int
    is_open: bool
    kind: AlertKind
    severity: Severity
    opened_at_ms: int
    measure: float | None = None
    known_since_day: int = 0
    is_told: bool = True
    situation: Situation = "shortage"
    told_at_ms: int = 0
    snoozed_until_day: int | None = None


class Product(Struct, frozen=True, array_like=True):
    """What is remembered of one product.

    Attributes:
        name: The latest told, as are price, lead time, pack size and minimum order; ``…_told`` says
            which of two tellings is the later (``product_folding``).
        positions: By location, in the order of their names.
        demand: Units ordered a day less those cancelled, in day order; days without either are
            absent.
        known_since_day: First day anything happened to it.
        bought_with: Products of the same orders and how often, most often first.
        origins: Last movement folded in per partition of the orders topic, for each of the last
            epochs, latest last: their movements share a topic that is re-created less often.
        applied: How far the stock levels topic was folded.
        updated_at_ms: Time of the latest event folded in.
        alerts: What was last said of each situation that there ever was.
        sold_out: Days on which nothing of it could be sold, oldest first, without those of a drought
            that lasts.
        drought_since_day: Since when nothing of it can be sold; None while something can.
        paid: What a unit cost on the last days on which one was bought.
        plans: What it is to cost on days ahead, and was on days past, in day order.
    """

    product_id: str
    name: str | None = None
    name_told: int = -1
    price: float | None = None
    price_told: int = -1
    lead_time_days: float | None = None
    lead_time_told: int = -1
    pack_size: int | None = None
    pack_size_told: int = -1
    minimum_order: int | None = None
    minimum_order_told: int = -1
    positions: tuple[Position, ...] = ()
    demand: tuple[DayUnits, ...] = ()
    known_since_day: int | None = None
    bought_with: Counts = ()
    origins: tuple[OriginMark, ...] = ()
    applied: tuple[Applied, ...] = ()
    updated_at_ms: int = 0
    alerts: tuple[AlertState, ...] = ()
    sold_out: tuple[int, ...] = ()
    drought_since_day: int | None = None
    paid: Paid = b""
    plans: Plans = ()


# --- The shelf ---------------------------------------------------------------------------------
#
# A location of which no count holds says nothing by itself: what was sold there, or by an order that
# names no location, is taken off all others as far as it happened after the last count anywhere. A
# store that counts by location and orders without one tells a level after each sale.


def is_counted(product: Product) -> bool:
    """Whether a shelf was ever counted; an uncounted product is never sold out."""
    return any(position.level is not None for position in product.positions)


def is_watched(product: Product) -> bool:
    """Whether there may be something to say of it: it was counted, or something is not over."""
    return is_counted(product) or any(alert.is_open for alert in product.alerts)


def on_hand(product: Product) -> int:
    """Return units on all shelves: the last counts and every change since. Negative is oversold.

    Without a count it is the sum of the changes, which means little: see ``is_counted``.
    """
    if len(product.positions) == 1:
        return at.on_hand(product.positions[0])
    holding, counted_ms = at.in_force(product.positions, at.level_of)
    return sum(
        at.on_hand(each) if each.location in holding else total(after(each.changes, counted_ms))
        for each in product.positions
    )


def reserved(product: Product) -> int:
    """Return units set aside, over all locations."""
    if len(product.positions) == 1:
        return at.reserved(product.positions[0])
    holding, counted_ms = at.in_force(product.positions, at.held_of)
    set_aside = sum(
        (each.held.units if each.held is not None else 0) + total(each.set_aside)
        if each.location in holding
        else total(after(each.set_aside, counted_ms))
        for each in product.positions
    )
    return max(0, set_aside)


def available(product: Product) -> int:
    """Return units that can be sold: on hand without those set aside."""
    return on_hand(product) - reserved(product)


def on_the_way(product: Product) -> list[Expected]:
    """Return what is on the way to any location, the earliest first and undated last."""
    holding, said_ms = at.in_force(product.positions, at.incoming_of)
    expected, receipts = list[Expected](), list[Receipt]()
    for each in product.positions:
        counted = each.location in holding
        since_ms = -1 if counted else said_ms  # of its own it keeps only what came after
        expected += at.expected(each, since_ms, counted=counted)
        receipts += [
            Receipt(at_ms, each.location, units) for at_ms, units in after(each.received, since_ms)
        ]
    return at.left(expected, receipts) if expected else []


def deliveries(product: Product) -> list[Due]:
    """Return when what is on the way is due, the earliest first and undated last."""
    return [(each.due_ms, each.units) for each in on_the_way(product)]


def inbound(product: Product) -> int:
    """Return units on the way: ordered, and not received since."""
    return sum(each.units for each in on_the_way(product))


def is_sold_out(product: Product) -> bool:
    """Whether a shelf was counted and nothing of it can be sold."""
    return is_counted(product) and available(product) <= 0


# --- Demand ------------------------------------------------------------------------------------


def demand_window(product: Product, today: int, calendar: Calendar = UTC_DAYS) -> Window:
    """Return ``float32[HISTORY_DAYS]``: the last days of ``past_demand``, which the forecaster reads."""
    return past_demand(product, today, calendar)[-HISTORY_DAYS:]


def past_demand(product: Product, today: int, calendar: Calendar = UTC_DAYS) -> Window:
    """Return ``float32[PAST_DAYS]``: units wanted a day, the latest last, -1 where unknown.

    *today* is the last day, unless nothing at all is known of the days up to it, since the store was
    closed or there was nothing to sell: then it is the last day on which something sold.
    """
    window = _window(product, today, calendar)
    last = days.last_sale_day(product.demand)
    if last is None or last >= today or (window[-HISTORY_DAYS:] >= 0).any():
        return window
    return _window(product, last, calendar)


def _window(product: Product, today: int, calendar: Calendar) -> Window:
    return days.window(
        product.demand,
        product.known_since_day,
        today,
        sold_out=sold_out_days(product, today),
        calendar=calendar,
    )


def sold_out_days(product: Product, today: int) -> Sequence[int]:
    """Return the days on which nothing could be sold, those of a drought that lasts included."""
    since = product.drought_since_day
    if since is None:
        return product.sold_out
    return (*product.sold_out, *range(max(since, today - PAST_DAYS + 1), today + 1))


def observed(product: Product, today: int) -> Product:
    """Return *product* with what is known of its droughts at the end of *today*; itself if no more.

    Not part of the fold: what a day came to counts, not what each event made of it for a moment,
    while one topic was read and the other was not. The day on which it can be sold again counts as
    any other, unless it was gone on that day itself.
    """
    since = product.drought_since_day
    if is_sold_out(product):
        return product if since is not None else replace(product, drought_since_day=today)
    if since is None:
        return product
    ended = {*product.sold_out, since, *range(max(since, today - PAST_DAYS + 1), today)}
    recent = sorted(day for day in ended if day > today - PAST_DAYS)
    return replace(product, drought_since_day=None, sold_out=tuple(recent))


def units_sold(product: Product, since_day: int, today: int) -> int:
    """Return units ordered from *since_day* to *today*, both included."""
    return days.total(product.demand, since_day, today)


# --- What is said of it ------------------------------------------------------------------------


def alert_of(product: Product, situation: Situation) -> AlertState | None:
    """Return what was last said of *situation*, None where there never was one."""
    return next((state for state in product.alerts if state.situation == situation), None)


def with_alert(product: Product, state: AlertState) -> Product:
    """Return *product* with *state* as what was last said of its situation."""
    others = [each for each in product.alerts if each.situation != state.situation]
    return replace(product, alerts=tuple(sorted([*others, state], key=_situation)))


def is_overstocked(product: Product) -> bool:
    """Whether planners were told that far more of it is there than sells."""
    state = alert_of(product, "excess")
    return state is not None and state.is_open and state.kind == "overstock"


def product_state(product: Product, now_ms: int, calendar: Calendar = UTC_DAYS) -> ProductState:
    """Return what every worker is told; equal values need not be told twice."""
    today, counted, units = calendar.day_of(now_ms), is_counted(product), on_hand(product)
    left = units - reserved(product)
    return ProductState(
        product_id=product.product_id,
        name=product.name,
        price=product.price,
        on_hand=units if counted else None,
        available=left if counted else None,
        sold_out=counted and left <= 0,
        overstocked=is_overstocked(product),
        units_7d=units_sold(product, today - 6, today),
        bought_with=tuple(other for other, _ in product.bought_with[:SHARED_BOUGHT_WITH]),
    )


def _situation(state: AlertState) -> str:
    return state.situation
