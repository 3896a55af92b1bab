"""When a planner hears of a shelf: once when it runs short, when that changes, when it is over.

One shortage is one alert, from ``opened`` to ``resolved``. A risk that becomes an empty shelf is
the same shortage and the same alert, of another kind: a planner works on the product, not on the
wording. A shelf that is filled only a little stays open until there is a margin.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from stream.domain.assessment import Assessment, StockPolicy, assess, protection_days
from stream.domain.demand import empirical_quantiles
from stream.domain.outputs import (
    AlertKind,
    AlertStatus,
    Severity,
    StockAlert,
    StockFigures,
    alert_id,
)
from stream.domain.products import AlertState

__all__ = [
    "AlertState",
    "Assessment",
    "Forecast",
    "StockPolicy",
    "assess",
    "empirical_quantiles",
    "retold",
    "transition",
]


class Forecast(NamedTuple):
    """Whose forecast an alert rests on; degraded when the model was away."""

    model: str = "forecaster"
    version: str = ""
    degraded: bool = False


_UNNAMED = Forecast()
_RANKS: dict[Severity, int] = {"warning": 0, "high": 1, "critical": 2}


def transition(
    current: AlertState | None,
    assessment: Assessment,
    now_ms: int,
    policy: StockPolicy,
    *,
    forecast: Forecast = _UNNAMED,
    created_at_ms: int | None = None,
) -> tuple[AlertState | None, StockAlert | None]:
    """Return the alert's state after *assessment* and the message it takes, None for silence.

    The same arguments give the same message. *now_ms* is the event time of the assessment,
    *created_at_ms* the wall clock's (*now_ms* when absent).
    """
    after, status = _step(current, assessment, now_ms, policy)
    if after is None or status is None:
        return after, None
    made_ms = now_ms if created_at_ms is None else created_at_ms
    return after, _message(after, status, assessment, forecast, at=(now_ms, made_ms))


def retold(
    state: AlertState,
    assessment: Assessment,
    now_ms: int,
    *,
    forecast: Forecast = _UNNAMED,
    created_at_ms: int,
) -> StockAlert:
    """Return the message that led to *state* again, with the figures of now.

    It has the same ``alert_id`` and ``revision``: nobody knows whether the first one got out.
    """
    status: AlertStatus = "updated" if state.revision > 1 else "opened"
    if not state.is_open:
        status = "resolved"
    return _message(state, status, assessment, forecast, at=(now_ms, created_at_ms))


def _message(
    state: AlertState,
    status: AlertStatus,
    assessment: Assessment,
    forecast: Forecast,
    *,
    at: tuple[int, int],
) -> StockAlert:
    occurred_at_ms, created_at_ms = at
    return StockAlert(
        alert_id=alert_id(assessment.product_id, state.known_since_day, state.episode),
        product_id=assessment.product_id,
        name=assessment.name,
        kind=state.kind,
        status=status,
        severity=state.severity,
        revision=state.revision,
        figures=assessment.figures,
        explanation=explain(state.kind, status, assessment.figures),
        model=forecast.model,
        model_version=forecast.version,
        degraded=forecast.degraded,
        opened_at_ms=state.opened_at_ms,
        occurred_at_ms=occurred_at_ms,
        created_at_ms=created_at_ms,
    )


def _step(
    current: AlertState | None, assessment: Assessment, now_ms: int, policy: StockPolicy
) -> tuple[AlertState | None, AlertStatus | None]:
    if current is None or not current.is_open:
        if assessment.kind == "none":
            return current, None
        return _opened(current, assessment, assessment.kind, now_ms), "opened"
    if assessment.is_safe:
        return replace(current, is_open=False, revision=current.revision + 1), "resolved"
    kind: AlertKind = "stockout_risk" if assessment.kind == "none" else assessment.kind
    if not _matters(current, assessment, kind, policy):
        return current, None
    after = replace(
        current,
        revision=current.revision + 1,
        kind=kind,
        severity=assessment.severity,
        stock_out_day=assessment.stock_out_day,
    )
    return after, "updated"


def _opened(
    last: AlertState | None, assessment: Assessment, kind: AlertKind, now_ms: int
) -> AlertState:
    return AlertState(
        episode=1 if last is None else last.episode + 1,
        revision=1,
        is_open=True,
        kind=kind,
        severity=assessment.severity,
        opened_at_ms=now_ms,
        stock_out_day=assessment.stock_out_day,
        known_since_day=assessment.known_since_day or 0,
    )


def _matters(
    current: AlertState, assessment: Assessment, kind: AlertKind, policy: StockPolicy
) -> bool:
    """Whether a planner would act on it; a risk that eases a little is not told."""
    if kind != current.kind or _RANKS[assessment.severity] > _RANKS[current.severity]:
        return True
    if kind == "out_of_stock":
        return False
    before, after = current.stock_out_day, assessment.stock_out_day
    if before is None or after is None:
        return before is not after
    return abs(after - before) >= policy.update_days


def explain(kind: AlertKind, status: AlertStatus, figures: StockFigures) -> str:
    """Return one sentence with the figures that led to the message."""
    selling = f"about {figures.daily_demand:.1f} wanted a day"
    if status == "resolved":
        return _explain_end(figures, selling)
    if kind == "out_of_stock":
        short = f"Oversold by {-figures.on_hand}" if figures.on_hand < 0 else "Nothing left to sell"
        return (
            f"{short}, {selling}: a reorder takes {figures.lead_time_days:g} days, "
            f"{figures.inbound} are on the way, {figures.suggested_quantity} more are suggested."
        )
    return (
        f"{figures.on_hand} on hand, {selling}: if sales run high they are gone by "
        f"{figures.stock_out_date_p90 or 'later'}, a reorder takes {protection_days(figures):g} "
        f"days with review; reorder point {figures.reorder_point}, "
        f"{figures.suggested_quantity} suggested."
    )


def _explain_end(figures: StockFigures, selling: str) -> str:
    if figures.on_hand - figures.reserved <= 0:
        return "Nothing left to sell, and nobody asked for it of late: no longer missed."
    cover = figures.days_of_cover_p90
    lasts = "longer than a year" if cover is None else f"{cover:.0f} days even if sales run high"
    return f"{figures.on_hand} on hand, {selling}: they last {lasts}."
