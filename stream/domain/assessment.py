"""How long a shelf lasts against a forecast, in the figures that planners use.

The reorder point and safety stock are those of a periodic review with lost sales read from
quantiles instead of a normal distribution: what is wanted over lead time and review at the service
level (Silver, Pyke and Thomas 2017, "Inventory and Production Management in Supply Chains",
chapter 6: order-up-to level over lead time plus review interval).
"""

from __future__ import annotations

from datetime import date, timedelta
from math import ceil
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream.domain.outputs import Severity, StockFigures
from stream.domain.products import Product, available, demand_window, inbound, is_counted, on_hand
from stream.model_specs import HORIZON_DAYS, QUANTILES

_EPOCH = date(1970, 1, 1)
_MEDIAN = QUANTILES.index(0.5)
#: Room for rounding in sums of float32.
_EPSILON = 1e-4


class StockPolicy(Struct, frozen=True, kw_only=True):
    """When a planner wants to hear of a shelf.

    Attributes:
        service_level: Share of cases in which the shelf must last; one of ``QUANTILES``.
        lead_time_days: For products that were never told theirs.
        review_days: Days until somebody looks again, on top of the lead time.
        order_days: Days that a reorder is to last beyond that.
        resolve_margin_days: An alert ends only with this many days of cover to spare.
        update_days: An open alert is told again when its stock-out date moves this far.
    """

    service_level: float = 0.9
    lead_time_days: float = 7.0
    review_days: float = 1.0
    order_days: float = 14.0
    resolve_margin_days: float = 2.0
    update_days: int = 3

    def __post_init__(self) -> None:
        if self.service_level not in QUANTILES:
            raise ValueError(
                f"service_level: expected one of {QUANTILES}, got {self.service_level}"
            )


class Assessment(Struct, frozen=True, kw_only=True):
    """What a shelf comes to against a forecast.

    Attributes:
        kind: ``none`` also for a shelf that was never counted and for a product nobody wants.
        is_safe: Whether an open alert may end: beyond the threshold by the margin.
        stock_out_day: First day, since the Unix epoch, on which demand at the service level has
            used up the shelf; today when it is empty, None beyond the horizon.
    """

    product_id: str
    name: str | None
    known_since_day: int | None
    kind: Literal["none", "out_of_stock", "stockout_risk"]
    severity: Severity
    is_safe: bool
    stock_out_day: int | None
    figures: StockFigures


def assess(
    product: Product, cumulative: NDArray[np.float32], today: int, policy: StockPolicy
) -> Assessment:
    """Return what *product*'s shelf comes to against a forecast.

    *cumulative* is ``float32[HORIZON_DAYS, len(QUANTILES)]``: units wanted over the next 1, 2, …
    days, by quantile. *today* is in days since the Unix epoch, UTC; the forecast's first day is
    the next one.
    """
    figures = _figures(product, cumulative, today, policy)
    kind = _kind(product, cumulative, today, figures)
    high = cumulative[:, QUANTILES.index(policy.service_level)]
    return Assessment(
        product_id=product.product_id,
        name=product.name,
        known_since_day=product.known_since_day,
        kind=kind,
        severity=_severity(kind, figures),
        is_safe=kind == "none" and (available(product) <= 0 or _has_margin(figures, policy)),
        stock_out_day=_stock_out_day(high, available(product), today),
        figures=figures,
    )


def protection_days(figures: StockFigures) -> float:
    """Return days until a reorder decided at the next review has arrived."""
    return figures.lead_time_days + figures.review_days


def _figures(
    product: Product, cumulative: NDArray[np.float32], today: int, policy: StockPolicy
) -> StockFigures:
    lead = policy.lead_time_days if product.lead_time_days is None else product.lead_time_days
    protection = lead + policy.review_days
    median = cumulative[:, _MEDIAN]
    high = cumulative[:, QUANTILES.index(policy.service_level)]
    expected = _wanted(cumulative.mean(axis=1), protection)
    units, level, on_the_way = available(product), product.level, inbound(product)
    daily = expected / protection if protection > 0 else float(cumulative[0].mean())
    order_up_to = _wanted(high, protection + policy.order_days)
    reorder_point = ceil(_wanted(high, protection) - _EPSILON)
    return StockFigures(
        on_hand=on_hand(product),
        reserved=level.reserved if level is not None else 0,
        inbound=on_the_way,
        daily_demand=round(daily, 3),
        lead_time_days=lead,
        review_days=policy.review_days,
        days_of_cover_p50=_cover(median, units),
        days_of_cover_p90=_cover(high, units),
        stock_out_date_p50=_date(_stock_out_day(median, units, today)),
        stock_out_date_p90=_date(_stock_out_day(high, units, today)),
        reorder_point=reorder_point,
        safety_stock=max(0, reorder_point - round(expected)),
        suggested_quantity=max(0, ceil(order_up_to - _EPSILON) - units - on_the_way),
        revenue_at_risk_per_day=None if product.price is None else round(daily * product.price, 2),
    )


def _kind(
    product: Product, cumulative: NDArray[np.float32], today: int, figures: StockFigures
) -> Literal["none", "out_of_stock", "stockout_risk"]:
    if not is_counted(product):
        return "none"
    if available(product) <= 0:
        return "out_of_stock" if _is_wanted(product, cumulative, today) else "none"
    cover = figures.days_of_cover_p90
    if cover is not None and cover < protection_days(figures):
        return "stockout_risk"
    return "none"


def _is_wanted(product: Product, cumulative: NDArray[np.float32], today: int) -> bool:
    """Whether anybody misses it: sold within the history read, or forecast to, or oversold."""
    sold = bool((demand_window(product, today) > 0).any())
    return sold or float(cumulative[-1, -1]) >= 1 or available(product) < 0


def _severity(kind: str, figures: StockFigures) -> Severity:
    if kind == "out_of_stock":
        return "critical"
    cover = figures.days_of_cover_p50
    return "high" if cover is not None and cover < protection_days(figures) else "warning"


def _has_margin(figures: StockFigures, policy: StockPolicy) -> bool:
    cover = figures.days_of_cover_p90
    needed = protection_days(figures) + policy.resolve_margin_days
    return cover is None or cover >= needed


def _wanted(by_day: NDArray[np.float32], days: float) -> float:
    """Return units wanted over *days*, between the days and beyond the horizon in proportion."""
    if days >= HORIZON_DAYS:
        return float(by_day[-1]) * days / HORIZON_DAYS
    return float(np.interp(days, range(HORIZON_DAYS + 1), (0.0, *by_day)))


def _cover(by_day: NDArray[np.float32], units: int) -> float | None:
    """Return after how many days *units* are used up, within a day in proportion.

    Beyond the horizon demand goes on at its average, up to a year; None is longer.
    """
    if units <= 0:
        return 0.0
    reached = np.flatnonzero(by_day >= units - _EPSILON)
    if reached.size == 0:
        return _cover_beyond(float(by_day[-1]), units)
    day = int(reached[0])
    before = float(by_day[day - 1]) if day else 0.0
    wanted = float(by_day[day]) - before
    return round(day + min(1.0, (units - before) / wanted), 2)


def _cover_beyond(over_horizon: float, units: int) -> float | None:
    if over_horizon <= 0:
        return None
    days = HORIZON_DAYS * units / over_horizon
    return round(days, 2) if days <= 365 else None


def _stock_out_day(by_day: NDArray[np.float32], units: int, today: int) -> int | None:
    cover = _cover(by_day, units)
    return None if cover is None else today + ceil(cover)


def _date(day: int | None) -> str | None:
    return None if day is None else (_EPOCH + timedelta(days=day)).isoformat()
