"""How long a product lasts against a forecast, in the figures that planners use.

Reorder point and safety stock are those of a periodic review, read from quantiles instead of a normal
distribution: what is wanted over lead time and review at the service level (Silver, Pyke and Thomas
2017, "Inventory and Production Management in Supply Chains", chapter 6: the level covers lead time
plus review interval). An order is up to that level and the demand until the next order.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream.domain import outlook
from stream.domain import positions as at
from stream.domain.calendar import UTC_DAYS, Calendar, date_of
from stream.domain.changes import after, total
from stream.domain.demand import Window, last_sale_day, sold
from stream.domain.outputs import LocationFigures, StockFigures
from stream.domain.positions import UNDATED
from stream.domain.products import (
    Product,
    deliveries,
    demand_window,
    on_hand,
    on_the_way,
    reserved,
    sold_out_days,
)
from stream.domain.quantiles import at_level
from stream.model_specs import HISTORY_DAYS, QUANTILES

_MEDIAN = QUANTILES.index(0.5)
_HIGH = QUANTILES.index(0.9)
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
        known_days: Days of which the demand must be known before there can be too much.
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
        position: The same with what is on the way, but for what is later than a new order would be.
        is_wanted: Whether anybody would miss it: sold within the history read, or forecast to.
        lasts_days: Days until nothing is left at P90 with deliveries when they are due; None for more
            than a year.
        lasts_days_p50: The same at P50.
        stock_out_day: The day on which that is, since the Unix epoch; today where nothing is left.
        margin_point: The reorder point with the margin of the policy on top.
        is_late: Whether the next delivery was due before today.
        covered_day: The day on which dated deliveries bring units above the reorder point; None
            where they do not.
        surplus: Units that can be sold or are on the way, beyond the days that are too many.
        slack: The same beyond four fifths of these days: what must be gone until it is over.
        spike_point: Units of today from which they are a spike; None where too little is known.
        has_spiked_before: Whether the day before was one.
        known_days: Days of the history read of which the demand is known.
    """

    figures: StockFigures
    units: int
    position: int
    is_wanted: bool
    lasts_days: float | None
    lasts_days_p50: float | None
    stock_out_day: int | None
    margin_point: int
    is_late: bool
    covered_day: int | None
    surplus: int
    slack: int
    spike_point: float | None
    has_spiked_before: bool
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
    expected_by_day = cumulative.mean(axis=1)
    mean = outlook.course(expected_by_day, expected_by_day)
    median, high, service = (
        outlook.course(by_day, expected_by_day)
        for by_day in (
            cumulative[:, _MEDIAN],
            cumulative[:, _HIGH],
            at_level(cumulative, policy.service_level),
        )
    )
    now = np.full(outlook.N_AHEAD + 1, float(units))
    supply = outlook.supply(units, due, today=today, lead_days=lead, calendar=calendar)
    lasts = outlook.lasts_days(high, supply)
    lasts_median = outlook.lasts_days(median, supply)
    daily = round(_a_day(mean, protection), 3)
    expected = daily * protection
    reorder_point = outlook.nearest(outlook.wanted(service, protection))
    order_up_to = reorder_point + outlook.wanted(mean, protection + policy.order_days)
    coming = sum(n for at_ms, n in due if not _is_lost(at_ms, lead, today, calendar))
    to_order = _whole(order_up_to - outlook.wanted(mean, protection)) - units - coming
    enough = _whole(outlook.wanted(mean, policy.overstock_days))
    window = demand_window(product, today, calendar)
    usual, spike_point = _usual(window[-1 - _USUAL_DAYS : -1], policy)
    _, spike_point_before = _usual(window[-2 - _USUAL_DAYS : -2], policy)
    units_before, units_today = sold(product.demand, today - 1, 2).astype(int).tolist()
    next_due = min([at_ms for at_ms, _ in due if at_ms != UNDATED], default=None)
    figures = StockFigures(
        on_hand=there,
        reserved=set_aside,
        inbound=sum(n for _, n in due),
        next_delivery_date=None if next_due is None else date_of(calendar.day_of(next_due)),
        daily_demand=daily,
        lead_time_days=lead,
        review_days=policy.review_days,
        days_of_cover_p50=outlook.lasts_days(median, now),
        days_of_cover_p90=outlook.lasts_days(high, now),
        stock_out_date_p50=_date(_day_of(lasts_median, today)),
        stock_out_date_p90=_date(_day_of(lasts, today)),
        service_level=policy.service_level,
        reorder_point=reorder_point,
        safety_stock=reorder_point - _whole(expected),
        suggested_quantity=_in_packs(to_order, product) if units + coming <= reorder_point else 0,
        pack_size=product.pack_size,
        minimum_order=product.minimum_order,
        overstock_days=policy.overstock_days,
        excess_units=max(0, units + coming - enough),
        units_today=units_today,
        usual_daily=round(usual, 3),
        days_since_sale=_days_since_sale(product, today, calendar),
        revenue_at_risk_per_day=None if product.price is None else round(daily * product.price, 2),
        locations=_locations(product),
    )
    return Assessment(
        figures,
        units,
        position=units + coming,
        is_wanted=_is_wanted(product, cumulative, today),
        lasts_days=lasts,
        lasts_days_p50=lasts_median,
        stock_out_day=_day_of(lasts, today),
        margin_point=outlook.nearest(
            outlook.wanted(service, protection + policy.resolve_margin_days)
        ),
        is_late=next_due is not None and calendar.day_of(next_due) < today,
        covered_day=outlook.covered_day(
            units, due, more_than=reorder_point, today=today, calendar=calendar
        ),
        surplus=units + coming - enough,
        slack=units + coming - _whole(0.8 * outlook.wanted(mean, policy.overstock_days)),
        spike_point=spike_point,
        has_spiked_before=spike_point_before is not None and units_before >= spike_point_before,
        known_days=int((window >= 0).sum()),
    )


def _a_day(mean: outlook.Course, days: float) -> float:
    return outlook.wanted(mean, days) / days if days > 0 else float(mean[1])


def _whole(units: float) -> int:
    """Round up, with room for rounding in sums of float32."""
    return ceil(units - outlook.EPSILON)


def _is_lost(due_ms: int, lead_days: float, today: int, calendar: Calendar) -> bool:
    """Whether a delivery is later than a new one would take: it is ordered again."""
    return due_ms != UNDATED and today - calendar.day_of(due_ms) > max(1.0, lead_days)


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


def _usual(late: Window, policy: StockPolicy) -> tuple[float, float | None]:
    """Return units of an ordinary day among *late* ones, and from how many on the next is a spike."""
    known = late[late >= 0]
    if not known.size:
        return 0.0, None
    usual = float(known.mean())
    if 2 * known.size < _USUAL_DAYS:
        return usual, None
    beyond = max(policy.spike_ratio * usual, float(known.max()) + 1)
    return usual, max(beyond, float(policy.spike_min_units))


def _days_since_sale(product: Product, today: int, calendar: Calendar) -> int | None:
    """Return days on which it could be sold and was not, since it last was or became known."""
    days = [product.known_since_day, last_sale_day(product.demand)]
    days += sold_out_days(product, today)[-1:]
    known = [day for day in days if day is not None]
    if not known:
        return None
    n_days = min(outlook.N_AHEAD, max(0, today - max(known)))
    return int(calendar.opening(today - n_days + 1, n_days).sum())


def _locations(product: Product) -> tuple[LocationFigures, ...]:
    """Return the position at each location; nothing where events name none."""
    if all(not each.location for each in product.positions):
        return ()
    coming = on_the_way(product)
    holding, counted_ms = at.in_force(product.positions, at.level_of)
    found = list[LocationFigures]()
    for each in product.positions:
        name, counted = each.location, each.location in holding
        units = at.on_hand(each) if counted else total(after(each.changes, counted_ms))
        inbound = sum(expected.units for expected in coming if expected.location == name)
        if counted or units or inbound:
            set_aside = at.reserved(each) if counted else 0
            found.append(LocationFigures(name, units, set_aside, inbound, counted=counted))
    return tuple(found)


def _day_of(cover: float | None, today: int) -> int | None:
    return None if cover is None else today + ceil(cover)


def _date(day: int | None) -> str | None:
    return None if day is None else date_of(day)
