"""What a product has and what will be wanted of it; and what was wanted lately."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.domain import outlook
from stream.domain.calendar import Calendar
from stream.domain.demand import Window, last_sale_day, sold
from stream.domain.outlook import Course
from stream.domain.policy import StockPolicy
from stream.domain.positions import UNDATED, Due
from stream.domain.products import (
    Product,
    deliveries,
    demand_window,
    on_hand,
    reserved,
    sold_out_days,
)
from stream.domain.quantiles import at_level
from stream.model_specs import QUANTILES

_MEDIAN = QUANTILES.index(0.5)
_HIGH = QUANTILES.index(0.9)
#: Days before today that say what is usual.
_USUAL_DAYS = 28


class Shelf(NamedTuple):
    """What of a product is there and on the way.

    Attributes:
        units: What can be sold now.
        position: The same with what is on the way, but for what is later than a new order would be.
        due: All that is on the way.
        lead_days: How long a new order takes.
        protection_days: For how long a shelf must last: lead time and review.
    """

    on_hand: int
    reserved: int
    units: int
    position: int
    due: Sequence[Due]
    lead_days: float
    protection_days: float

    @property
    def next_due_ms(self) -> int | None:
        """When the next delivery is due that has a date."""
        return min([at_ms for at_ms, _ in self.due if at_ms != UNDATED], default=None)


class Prospect(NamedTuple):
    """What will be wanted over the days ahead, and how long the shelf lasts.

    Attributes:
        mean: Of the forecast, as are P50, P90 and what the service level asks for.
        lasts_days: At P90 with deliveries when they are due; None for more than a year.
        lasts_days_p50: The same at P50.
    """

    mean: Course
    median: Course
    high: Course
    service: Course
    lasts_days: float | None
    lasts_days_p50: float | None


class Lately(NamedTuple):
    """What was wanted of late.

    Attributes:
        usual: Units of an ordinary day before today.
        spike_point: Units of today from which they are a spike; None where too little is known.
        has_spiked_before: Whether the day before was one.
        days_since_sale: On which it could be sold and was not; None where it was never known.
        known_days: Days of the history read of which the demand is known.
    """

    units_today: int
    usual: float
    spike_point: float | None
    has_spiked_before: bool
    days_since_sale: int | None
    known_days: int


def shelf_of(product: Product, today: int, policy: StockPolicy, *, calendar: Calendar) -> Shelf:
    """Return what of *product* is there and on the way."""
    lead = policy.lead_time_days if product.lead_time_days is None else product.lead_time_days
    due, there, set_aside = deliveries(product), on_hand(product), reserved(product)
    coming = sum(n for at_ms, n in due if not _is_lost(at_ms, lead, today, calendar))
    units = there - set_aside
    return Shelf(
        there,
        set_aside,
        units,
        units + coming,
        due,
        lead,
        protection_days=lead + policy.review_days,
    )


def prospect_of(
    shelf: Shelf,
    cumulative: NDArray[np.float32],
    today: int,
    *,
    policy: StockPolicy,
    calendar: Calendar,
) -> Prospect:
    """Return what *cumulative* promises for *shelf*; for its axes see ``assess``."""
    expected = cumulative.mean(axis=1)
    mean = outlook.course(expected, expected)
    median, high, service = (
        outlook.course(by_day, expected)
        for by_day in (
            cumulative[:, _MEDIAN],
            cumulative[:, _HIGH],
            at_level(cumulative, policy.service_level),
        )
    )
    there = outlook.supply(
        shelf.units, shelf.due, today=today, lead_days=shelf.lead_days, calendar=calendar
    )
    lasts, lasts_p50 = outlook.lasts_days(high, there), outlook.lasts_days(median, there)
    return Prospect(mean, median, high, service, lasts, lasts_p50)


def lately_of(product: Product, today: int, policy: StockPolicy, *, calendar: Calendar) -> Lately:
    """Return what was wanted of *product* until *today*."""
    window = demand_window(product, today, calendar)
    usual, spike_point = _usual(window[-1 - _USUAL_DAYS : -1], policy)
    _, spike_point_before = _usual(window[-2 - _USUAL_DAYS : -2], policy)
    units_before, units_today = sold(product.demand, today - 1, 2).astype(int).tolist()
    return Lately(
        units_today,
        usual,
        spike_point,
        spike_point_before is not None and units_before >= spike_point_before,
        _days_since_sale(product, today, calendar),
        known_days=int((window >= 0).sum()),
    )


def _is_lost(due_ms: int, lead_days: float, today: int, calendar: Calendar) -> bool:
    """Whether a delivery is later than a new one would take: it is ordered again."""
    return due_ms != UNDATED and today - calendar.day_of(due_ms) > max(1.0, lead_days)


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
