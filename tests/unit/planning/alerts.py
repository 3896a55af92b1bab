"""Stock alerts for tests, as a worker writes them: a shortage of milk where nothing else is told."""

from __future__ import annotations

from typing import TypedDict

from typing_extensions import Unpack

from stream.codec import encode
from stream.domain.outputs import (
    AlertKind,
    AlertStatus,
    Date,
    LocationFigures,
    Severity,
    Situation,
    StockAlert,
    StockFigures,
    alert_key,
)
from stream.planning.choice import Choice
from stream.planning.present import Present, StockList
from stream.topics import STOCK_ALERTS
from tests.unit.builders import NOON_MS, Record

_SITUATIONS: dict[AlertKind, Situation] = {
    "back_in_stock": "return",
    "demand_spike": "demand",
    "overstock": "excess",
    "dead_stock": "excess",
}


class Figures(TypedDict, total=False):
    """Figures that a test is about."""

    on_hand: int
    reserved: int
    cover_p50: float | None
    cover_p90: float | None
    out_p50: Date | None
    out_p90: Date | None
    suggested: int
    pack_size: int | None
    at_risk: float | None
    locations: tuple[LocationFigures, ...]


def make_figures(**figures: Unpack[Figures]) -> StockFigures:
    return StockFigures(
        on_hand=figures.get("on_hand", 40),
        reserved=figures.get("reserved", 4),
        inbound=0,
        next_delivery_date=None,
        daily_demand=6.25,
        lead_time_days=7.0,
        review_days=1.0,
        days_of_cover_p50=figures.get("cover_p50", 5.75),
        days_of_cover_p90=figures.get("cover_p90", 3.5),
        stock_out_date_p50=figures.get("out_p50", "2017-06-06"),
        stock_out_date_p90=figures.get("out_p90", "2017-06-04"),
        service_level=0.9,
        reorder_point=68,
        safety_stock=18,
        suggested_quantity=figures.get("suggested", 120),
        pack_size=figures.get("pack_size", 12),
        minimum_order=None,
        overstock_days=120,
        excess_units=0,
        units_today=3,
        usual_daily=6.0,
        days_since_sale=0,
        revenue_at_risk_per_day=figures.get("at_risk", 15.625),
        locations=figures.get("locations", ()),
    )


def make_alert(
    product_id: str = "milk",
    kind: AlertKind = "stockout_risk",
    *,
    status: AlertStatus = "opened",
    severity: Severity = "high",
    name: str | None = None,
    explanation: str = "36 can be sold, about 6.2 wanted a day.",
    snoozed_until: Date | None = None,
    occurred_at_ms: int = NOON_MS,
    **figures: Unpack[Figures],
) -> StockAlert:
    return StockAlert(
        alert_id=f"alert-{product_id}",
        product_id=product_id,
        situation=_SITUATIONS.get(kind, "shortage"),
        kind=kind,
        status=status,
        severity=severity,
        revision=1,
        figures=make_figures(**figures),
        explanation=explanation,
        model="forecaster",
        model_version="3",
        degraded=False,
        opened_at_ms=NOON_MS,
        occurred_at_ms=occurred_at_ms,
        created_at_ms=NOON_MS + 1,
        snoozed_until=snoozed_until,
        name=name,
    )


def record_of(alert: StockAlert, *, appended_ms: int = NOON_MS) -> Record:
    key = alert_key(alert.product_id, alert.situation)
    return Record(encode(alert), key, timestamp=appended_ms)


def tombstone_of(alert: StockAlert) -> Record:
    return Record(None, alert_key(alert.product_id, alert.situation))


def listed(*records: Record | StockAlert, choice: Choice | None = None) -> StockList:
    """What is present after *records*, of one partition."""
    present = Present()
    for each in records:
        record = record_of(each) if isinstance(each, StockAlert) else each
        present.take(record, STOCK_ALERTS.name, 0)
    return present.listed(choice or Choice())
