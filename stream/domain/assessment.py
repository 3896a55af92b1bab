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
from numpy.typing import NDArray

from stream.domain import outlook
from stream.domain import positions as at
from stream.domain.calendar import UTC_DAYS, Calendar, date_of
from stream.domain.changes import after, total
from stream.domain.demand import last_sale_day
from stream.domain.outputs import LocationFigures, StockFigures
from stream.domain.policy import StockPolicy
from stream.domain.products import Product, on_the_way
from stream.domain.prospects import Lately, Prospect, Shelf, lately_of, prospect_of, shelf_of
from stream.model_specs import HISTORY_DAYS


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


class _Case(NamedTuple):
    """What there is to assess."""

    product: Product
    shelf: Shelf
    prospect: Prospect
    lately: Lately
    is_wanted: bool
    today: int
    policy: StockPolicy
    calendar: Calendar

    @property
    def surplus(self) -> int:
        return self.shelf.position - _whole(self._overstock)

    @property
    def slack(self) -> int:
        return self.shelf.position - _whole(0.8 * self._overstock)

    @property
    def _overstock(self) -> float:
        return outlook.wanted(self.prospect.mean, self.policy.overstock_days)


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
    shelf = shelf_of(product, today, policy, calendar=calendar)
    case = _Case(
        product,
        shelf,
        prospect_of(shelf, cumulative, today, policy=policy, calendar=calendar),
        lately_of(product, today, policy, calendar=calendar),
        _is_wanted(product, cumulative, today),
        today,
        policy,
        calendar,
    )
    return _verdict(case, _figures(case))


def _figures(case: _Case) -> StockFigures:
    """Return what planners are told, whatever is the matter."""
    product, shelf, prospect, lately, _, today, policy, calendar = case
    lead_and_review = shelf.protection_days
    now = np.full(outlook.N_AHEAD + 1, float(shelf.units))
    daily = round(_a_day(prospect.mean, lead_and_review), 3)
    reorder_point = outlook.nearest(outlook.wanted(prospect.service, lead_and_review))
    next_due_ms, price = shelf.next_due_ms, product.price
    return StockFigures(
        on_hand=shelf.on_hand,
        reserved=shelf.reserved,
        inbound=sum(n for _, n in shelf.due),
        next_delivery_date=_date(None if next_due_ms is None else calendar.day_of(next_due_ms)),
        daily_demand=daily,
        lead_time_days=shelf.lead_days,
        review_days=policy.review_days,
        days_of_cover_p50=outlook.lasts_days(prospect.median, now),
        days_of_cover_p90=outlook.lasts_days(prospect.high, now),
        stock_out_date_p50=_date(_day_of(prospect.lasts_days_p50, today)),
        stock_out_date_p90=_date(_day_of(prospect.lasts_days, today)),
        service_level=policy.service_level,
        reorder_point=reorder_point,
        safety_stock=reorder_point - _whole(daily * lead_and_review),
        suggested_quantity=_to_order(case, reorder_point),
        pack_size=product.pack_size,
        minimum_order=product.minimum_order,
        overstock_days=policy.overstock_days,
        excess_units=max(0, case.surplus),
        units_today=lately.units_today,
        usual_daily=round(lately.usual, 3),
        days_since_sale=lately.days_since_sale,
        revenue_at_risk_per_day=None if price is None else round(daily * price, 2),
        locations=_locations(product),
    )


def _verdict(case: _Case, figures: StockFigures) -> Assessment:
    """Return *figures* with what says whether anything is the matter."""
    _, shelf, prospect, lately, is_wanted, today, policy, calendar = case
    next_due_ms, due = shelf.next_due_ms, shelf.due
    with_margin = shelf.protection_days + policy.resolve_margin_days
    return Assessment(
        figures,
        shelf.units,
        position=shelf.position,
        is_wanted=is_wanted,
        lasts_days=prospect.lasts_days,
        lasts_days_p50=prospect.lasts_days_p50,
        stock_out_day=_day_of(prospect.lasts_days, today),
        margin_point=outlook.nearest(outlook.wanted(prospect.service, with_margin)),
        is_late=next_due_ms is not None and calendar.day_of(next_due_ms) < today,
        covered_day=outlook.covered_day(
            shelf.units, due, more_than=figures.reorder_point, today=today, calendar=calendar
        ),
        surplus=case.surplus,
        slack=case.slack,
        spike_point=lately.spike_point,
        has_spiked_before=lately.has_spiked_before,
        known_days=lately.known_days,
    )


def _a_day(mean: outlook.Course, days: float) -> float:
    return outlook.wanted(mean, days) / days if days > 0 else float(mean[1])


def _whole(units: float) -> int:
    """Round up, with room for rounding in sums of float32."""
    return ceil(units - outlook.EPSILON)


def _to_order(case: _Case, reorder_point: int) -> int:
    """Return what to order: up to the reorder point and the demand until the next order."""
    mean, days = case.prospect.mean, case.shelf.protection_days
    if case.shelf.position > reorder_point:
        return 0
    order_up_to = reorder_point + outlook.wanted(mean, days + case.policy.order_days)
    units = _whole(order_up_to - outlook.wanted(mean, days)) - case.shelf.position
    return _in_packs(units, case.product)


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
