"""How long a product lasts against a forecast, in the figures that planners use.

Reorder point and safety stock are those of a periodic review, read from quantiles instead of a normal
distribution: what is wanted over lead time and review at the service level (Silver, Pyke and Thomas
2017, "Inventory and Production Management in Supply Chains", chapter 6: the level covers lead time
plus review interval). An order is up to that level and the demand until the next order.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream.domain import positions as at
from stream.domain.calendar import UTC_DAYS, Calendar, date_of
from stream.domain.changes import after, total
from stream.domain.demand import Window, last_sale_day, sold
from stream.domain.outputs import LocationFigures, StockFigures
from stream.domain.positions import UNDATED, Due
from stream.domain.products import (
    Product,
    deliveries,
    demand_window,
    droughts_until,
    last_counted_ms,
    on_hand,
    reserved,
)
from stream.domain.quantiles import at_level
from stream.model_specs import HISTORY_DAYS, HORIZON_DAYS, QUANTILES

_MEDIAN = QUANTILES.index(0.5)
_HIGH = QUANTILES.index(0.9)
#: Room for rounding in sums of float32.
_EPSILON = 1e-4
#: Days before today that say what is usual.
_USUAL_DAYS = 28


class StockPolicy(Struct, frozen=True, kw_only=True):
    """When a planner wants to hear of a product.

    Attributes:
        service_level: Share of cases in which the shelf must last, above 0 and below 1.
        lead_time_days: For products that were never told theirs.
        review_days: Days until somebody looks again, on top of the lead time.
        order_days: Days that an order is to last beyond that.
        resolve_margin_days: A shortage ends only with this many days of cover to spare.
        update_days: An open alert is told again when its stock-out date moves this far.
        min_interval_ms: Between two messages of one alert, but for what is worse than the last.
        snooze_on_order: Whether a shortage that dated deliveries will end is left alone until then.
        overstock_days: What lasts longer than this at the expected demand is too much.
        dead_days: A product that could be sold and was not for so long is dead.
        known_days: Days that a product must be known before it can be too much.
        spike_ratio: Units of today over those of an ordinary day that are a spike.
        spike_min_units: Fewer units of today are none.
        back_in_stock_days: For how long it is said that a product is back.
    """

    service_level: float = 0.9
    lead_time_days: float = 7.0
    review_days: float = 1.0
    order_days: float = 14.0
    resolve_margin_days: float = 2.0
    update_days: int = 3
    min_interval_ms: int = 15 * 60 * 1000
    snooze_on_order: bool = True
    overstock_days: float = 120.0
    dead_days: int = 60
    known_days: int = 28
    spike_ratio: float = 3.0
    spike_min_units: int = 10
    back_in_stock_days: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.service_level < 1:
            raise ValueError(
                f"service_level: expected above 0 and below 1, got {self.service_level}"
            )


class Assessment(NamedTuple):
    """What a product comes to against a forecast.

    Attributes:
        units: What can be sold now.
        is_wanted: Whether anybody would miss it: sold within the history read, or forecast to.
        lasts_days: Days until nothing is left at P90 with deliveries when they are due; None for more
            than a year.
        stock_out_day: The day on which that is, since the Unix epoch; today where nothing is left.
        margin_point: The reorder point with the margin of the policy on top.
        is_late: Whether the next delivery was due before today.
        covered_day: The day on which dated deliveries bring units above the reorder point; None
            where they do not.
        surplus: Units that can be sold or are on the way, beyond the days that are too many.
        slack: The same beyond four fifths of these days: what must be gone until it is over.
        spike_point: Units of today from which they are a spike; None where too little is known.
        units_yesterday: Units ordered the day before.
        known_days: Days since anything was first heard of it.
    """

    figures: StockFigures
    units: int
    is_wanted: bool
    lasts_days: float | None
    stock_out_day: int | None
    margin_point: int
    is_late: bool
    covered_day: int | None
    surplus: int
    slack: int
    spike_point: float | None
    units_yesterday: int
    known_days: int


def assess(
    product: Product,
    cumulative: NDArray[np.float32],
    today: int,
    policy: StockPolicy,
    *,
    calendar: Calendar = UTC_DAYS,
) -> Assessment:
    """Return what *product* comes to against a forecast.

    *cumulative* is ``float32[HORIZON_DAYS, len(QUANTILES)]``: units wanted over the next 1, 2, …
    days, by quantile. *today* is in days since the Unix epoch; the forecast's first day is the next.
    """
    lead = policy.lead_time_days if product.lead_time_days is None else product.lead_time_days
    protection, due = lead + policy.review_days, deliveries(product)
    there, set_aside = on_hand(product), reserved(product)
    units = there - set_aside
    inbound = sum(each for _, each in due)
    arrivals = _arrivals(due, today, ceil(lead), calendar)
    service, mean = at_level(cumulative, policy.service_level), cumulative.mean(axis=1)
    median, high = cumulative[:, _MEDIAN], cumulative[:, _HIGH]
    supply = units + np.cumsum(arrivals)
    reorder_point = ceil(_wanted(service, protection) - _EPSILON)
    expected = _wanted(mean, protection)
    daily = expected / protection if protection > 0 else float(mean[0])
    lasts, since = _cover(high, supply), _days_since_sale(product, today)
    window = demand_window(product, today, calendar)
    usual, spike_point = _usual(window, policy)
    units_before, units_today = sold(product.demand, today - 1, 2).astype(int).tolist()
    order_up_to = reorder_point + _wanted(mean, protection + policy.order_days) - expected
    wanted = ceil(order_up_to - _EPSILON) - units - inbound
    next_due = min([at_ms for at_ms, _ in due if at_ms != UNDATED], default=None)
    a_day = float(mean[-1]) / HORIZON_DAYS
    figures = StockFigures(
        on_hand=there,
        reserved=set_aside,
        inbound=inbound,
        next_delivery_date=None if next_due is None else date_of(calendar.day_of(next_due)),
        daily_demand=round(daily, 3),
        lead_time_days=lead,
        review_days=policy.review_days,
        days_of_cover_p50=_cover(median, np.full(HORIZON_DAYS, units)),
        days_of_cover_p90=_cover(high, np.full(HORIZON_DAYS, units)),
        stock_out_date_p50=_date(_day_of(_cover(median, supply), today)),
        stock_out_date_p90=_date(_day_of(lasts, today)),
        service_level=policy.service_level,
        reorder_point=reorder_point,
        safety_stock=max(0, reorder_point - round(expected)),
        suggested_quantity=_in_packs(wanted, product) if units + inbound <= reorder_point else 0,
        pack_size=product.pack_size,
        minimum_order=product.minimum_order,
        excess_units=max(0, units + inbound - ceil(a_day * policy.overstock_days)),
        units_today=units_today,
        usual_daily=round(usual, 3),
        days_since_sale=since,
        revenue_at_risk_per_day=None if product.price is None else round(daily * product.price, 2),
        locations=_locations(product),
    )
    return Assessment(
        figures,
        units,
        is_wanted=_is_wanted(product, cumulative, today),
        lasts_days=lasts,
        stock_out_day=_day_of(lasts, today),
        margin_point=ceil(_wanted(service, protection + policy.resolve_margin_days) - _EPSILON),
        is_late=next_due is not None and calendar.day_of(next_due) < today,
        covered_day=_covered_day(
            units,
            [(calendar.day_of(at_ms), n) for at_ms, n in due if at_ms != UNDATED],
            reorder_point=reorder_point,
            today=today,
        ),
        surplus=units + inbound - ceil(a_day * policy.overstock_days),
        slack=units + inbound - ceil(0.8 * a_day * policy.overstock_days),
        spike_point=spike_point,
        units_yesterday=units_before,
        known_days=0 if product.known_since_day is None else today - product.known_since_day,
    )


def _arrivals(due: list[Due], today: int, lead_days: int, calendar: Calendar) -> NDArray[np.int64]:
    """Return ``int64[HORIZON_DAYS]``: units that arrive on each day ahead.

    A delivery without a date takes a lead time from now; one that is late is not counted on.
    """
    arrivals = np.zeros(HORIZON_DAYS, dtype=np.int64)
    for due_ms, units in due:
        ahead = lead_days if due_ms == UNDATED else calendar.day_of(due_ms) - today
        if 0 <= ahead <= HORIZON_DAYS:
            arrivals[max(0, ahead - 1)] += units
    return arrivals


def _wanted(by_day: NDArray[np.float32], days: float) -> float:
    """Return units wanted over *days*, between the days and beyond the horizon in proportion."""
    if days >= HORIZON_DAYS:
        return float(by_day[-1]) * days / HORIZON_DAYS
    whole = int(days)
    before = float(by_day[whole - 1]) if whole else 0.0
    return before + (days - whole) * (float(by_day[whole]) - before)


def _cover(by_day: NDArray[np.float32], supply: NDArray[np.int64]) -> float | None:
    """Return after how many days nothing is left, within a day in proportion.

    *supply* is what can be sold until the end of each day ahead. Beyond the horizon demand goes on
    at its average, up to a year; None is longer.
    """
    if supply[0] <= 0:
        return 0.0
    empty = np.flatnonzero(by_day >= supply - _EPSILON)
    if empty.size == 0:
        return _cover_beyond(float(by_day[-1]), float(supply[-1]))
    day = int(empty[0])
    before = float(by_day[day - 1]) if day else 0.0
    wanted = max(float(by_day[day]) - before, _EPSILON)
    return round(day + max(0.0, min(1.0, (float(supply[day]) - before) / wanted)), 2)


def _cover_beyond(over_horizon: float, units: float) -> float | None:
    if over_horizon <= 0:
        return None
    days = HORIZON_DAYS * units / over_horizon
    return round(days, 2) if days <= 365 else None


def _covered_day(
    units: int, dated: Iterable[tuple[int, int]], *, reorder_point: int, today: int
) -> int | None:
    """Return the day on which deliveries that are not late bring *units* above the reorder point."""
    for day, arriving in dated:
        if day >= today and units <= reorder_point:
            units += arriving
            if units > reorder_point:
                return day
    return None


def _in_packs(units: int, product: Product) -> int:
    """Return what to order for *units*: at least the minimum order, in whole packs."""
    if units <= 0:
        return 0
    pack = product.pack_size or 1
    return ceil(max(units, product.minimum_order or 0) / pack) * pack


def _is_wanted(product: Product, cumulative: NDArray[np.float32], today: int) -> bool:
    last = last_sale_day(product.demand)
    was_sold = last is not None and today - last < HISTORY_DAYS
    return was_sold or float(cumulative[-1, -1]) >= 1


def _usual(window: Window, policy: StockPolicy) -> tuple[float, float | None]:
    """Return units of an ordinary day of late, and from how many on today is a spike."""
    late = window[-1 - _USUAL_DAYS : -1]
    known = late[late >= 0]
    if not known.size:
        return 0.0, None
    usual = float(known.mean())
    if 2 * known.size < _USUAL_DAYS:
        return usual, None
    beyond = max(policy.spike_ratio * usual, float(known.max()) + 1)
    return usual, max(beyond, float(policy.spike_min_units))


def _days_since_sale(product: Product, today: int) -> int | None:
    """Return days since it was sold, or became known, or could not be sold; None if unknown."""
    days = [product.known_since_day, last_sale_day(product.demand)]
    days += [end for _, end in droughts_until(product, today)]
    known = [day for day in days if day is not None]
    return max(0, today - max(known)) if known else None


def _locations(product: Product) -> tuple[LocationFigures, ...]:
    """Return the position at each location; nothing where events name none."""
    if all(not each.location for each in product.positions):
        return ()
    counted_ms, found = last_counted_ms(product), list[LocationFigures]()
    for each in product.positions:
        counted = each.level is not None
        units = at.on_hand(each) if counted else total(after(each.changes, counted_ms))
        inbound = sum(units for _, units in at.due(each)[0])
        if counted or units or inbound:
            found.append(
                LocationFigures(each.location, units, at.reserved(each), inbound, counted=counted)
            )
    return tuple(found)


def _day_of(cover: float | None, today: int) -> int | None:
    return None if cover is None else today + ceil(cover)


def _date(day: int | None) -> str | None:
    return None if day is None else date_of(day)
