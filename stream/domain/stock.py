"""When a planner hears of a product: once when a situation begins, when it changes, when it is over.

One situation is one alert, from its first message to ``resolved``. A risk that becomes an empty shelf
is the same shortage and the same alert, of another kind: a planner works on the product, not on the
wording. What is worse than what was last said is told at once. Everything else waits until the last
message is ``min_interval_ms`` old, and is told then if it still holds: what a flash sale does to a
shelf within minutes is a few messages, however many orders it is. A shortage that deliveries will end
is snoozed until they are due, and wakes when they are late.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from stream.domain.assessment import Assessment, assess
from stream.domain.calendar import DAY_MS, date_of
from stream.domain.demand import empirical_quantiles
from stream.domain.explaining import explain
from stream.domain.findings import Finding, findings
from stream.domain.outputs import AlertKind, AlertStatus, Severity, StockAlert, alert_id
from stream.domain.policy import StockPolicy
from stream.domain.products import AlertState, Product, alert_of

__all__ = [
    "AlertState",
    "Assessment",
    "Forecast",
    "Step",
    "StockPolicy",
    "assess",
    "empirical_quantiles",
    "findings",
    "message",
    "step",
    "steps",
]


class Forecast(NamedTuple):
    """Whose forecast an alert rests on; degraded when the model was away."""

    model: str = "forecaster"
    version: str = ""
    degraded: bool = False


class Step(NamedTuple):
    """What becomes of an alert.

    Attributes:
        state: After it; None where there never was an alert.
        is_news: Whether it takes a message.
        again_ms: When to look again, since something is held back; None where nothing is.
    """

    state: AlertState | None
    is_news: bool = False
    again_ms: int | None = None


_UNNAMED = Forecast()
_SEVERITIES: dict[Severity, int] = {"info": 0, "warning": 1, "high": 2, "critical": 3}
#: Within a situation, what is worse comes later.
_KINDS: dict[AlertKind, int] = {
    "low_stock": 0,
    "stockout_risk": 1,
    "out_of_stock": 2,
    "oversold": 3,
    "back_in_stock": 0,
    "demand_spike": 0,
    "overstock": 0,
    "dead_stock": 1,
}
#: Messages of one alert after which the interval between two grows by itself, and to how many.
_PATIENCE, _LONGEST = 8, 16
#: Changes of a measure that are worth a message, as factors.
_WORTH_TELLING = {"demand": 2.0, "excess": 1.5}


def steps(
    product: Product, assessment: Assessment, *, today: int, now_ms: int, policy: StockPolicy
) -> Sequence[Step]:
    """Return what becomes of the alerts of *product*, of all that there were or are to be."""
    since = product.known_since_day or 0
    taken = [
        step(
            alert_of(product, each.situation),
            each,
            known_since_day=since,
            now_ms=now_ms,
            policy=policy,
        )
        for each in findings(product, assessment, today=today, policy=policy)
    ]
    return [each for each in taken if each.state is not None]


def step(
    current: AlertState | None,
    finding: Finding,
    *,
    known_since_day: int,
    now_ms: int,
    policy: StockPolicy,
) -> Step:
    """Return what becomes of the alert *current* after *finding*.

    The same arguments give the same answer. *now_ms* is event time, *known_since_day* the product's.
    """
    if current is None or not current.is_open:
        if finding.kind is None:
            return Step(current)
        opened = _opened(current, finding, finding.kind, now_ms)
        return Step(replace(opened, known_since_day=known_since_day), is_news=True)
    after = _after(current, finding, now_ms, policy)
    if after == current:
        return Step(current)
    may_ms = current.told_at_ms + _interval_ms(current, policy)
    if now_ms < may_ms and not _is_worse(current, after):
        return Step(current, again_ms=may_ms)
    revision = current.revision + 1
    return Step(replace(after, revision=revision, told_at_ms=now_ms), is_news=True)


def message(
    product: Product,
    state: AlertState,
    assessment: Assessment,
    *,
    now_ms: int,
    forecast: Forecast = _UNNAMED,
    created_at_ms: int | None = None,
) -> StockAlert:
    """Return the message that leads to *state*, with the figures of *assessment*.

    Of a state that was reached before it is that message again: the same ``alert_id`` and
    ``revision``, with the figures of now. *created_at_ms* is the wall clock's (*now_ms* when absent).
    """
    until = None if state.snoozed_until_day is None else date_of(state.snoozed_until_day)
    figures = assessment.figures
    if not _is_at_risk(state) and figures.revenue_at_risk_per_day is not None:
        figures = replace(figures, revenue_at_risk_per_day=0.0)
    return StockAlert(
        alert_id=alert_id(
            product.product_id, state.known_since_day, state.episode, state.situation
        ),
        product_id=product.product_id,
        name=product.name,
        situation=state.situation,
        kind=state.kind,
        status=_status(state),
        severity=state.severity,
        revision=state.revision,
        figures=figures,
        explanation=explain(
            state.kind,
            figures,
            is_over=not state.is_open,
            is_late=state.situation == "shortage" and assessment.is_late,
            snoozed_until=until,
        ),
        model=forecast.model,
        model_version=forecast.version,
        degraded=forecast.degraded,
        opened_at_ms=state.opened_at_ms,
        occurred_at_ms=now_ms,
        created_at_ms=now_ms if created_at_ms is None else created_at_ms,
        snoozed_until=until,
    )


# --- Rules -------------------------------------------------------------------------------------


def _interval_ms(state: AlertState, policy: StockPolicy) -> int:
    """Return how long the next message must wait: longer, the more there were of one situation."""
    return policy.min_interval_ms * min(_LONGEST, 1 + state.revision // _PATIENCE)


def _status(state: AlertState) -> AlertStatus:
    if not state.is_open:
        return "resolved"
    if state.snoozed_until_day is not None:
        return "snoozed"
    return "updated" if state.revision > 1 else "opened"


def _is_at_risk(state: AlertState) -> bool:
    """Whether revenue is: a shortage, or a demand that the shelf cannot meet."""
    if not state.is_open:
        return False
    return state.situation == "shortage" or (
        state.situation == "demand" and state.severity == "high"
    )


def _opened(last: AlertState | None, finding: Finding, kind: AlertKind, now_ms: int) -> AlertState:
    return AlertState(
        episode=1 if last is None else last.episode + 1,
        revision=1,
        is_open=True,
        kind=kind,
        severity=finding.severity,
        opened_at_ms=now_ms,
        measure=finding.measure,
        situation=finding.situation,
        told_at_ms=now_ms,
        snoozed_until_day=finding.covered_until_day,
    )


def _after(current: AlertState, finding: Finding, now_ms: int, policy: StockPolicy) -> AlertState:
    """Return what would be told of an open alert now; *current* where nothing is worth a word."""
    kind = finding.kind
    if kind is None:
        if finding.is_safe:
            return replace(current, is_open=False, snoozed_until_day=None)
        kind = "low_stock" if current.situation == "shortage" else current.kind
    severity = current.severity if finding.kind is None else finding.severity
    until = finding.covered_until_day
    if finding.kind is None and until is not None and until == current.snoozed_until_day:
        return current
    if (
        kind != current.kind
        or _SEVERITIES[severity] > _SEVERITIES[current.severity]
        or (severity != current.severity and kind == "oversold")
        or until != current.snoozed_until_day
        or _has_moved(current, finding, now_ms, policy)
    ):
        return replace(
            current,
            kind=kind,
            severity="warning" if finding.kind is None else severity,
            measure=finding.measure,
            snoozed_until_day=until,
        )
    return current


def _has_moved(current: AlertState, finding: Finding, now_ms: int, policy: StockPolicy) -> bool:
    """Whether the measure of what is the matter changed by what a planner would act on."""
    if finding.kind is None or finding.kind in ("out_of_stock", "oversold", "back_in_stock"):
        return False
    before, after = current.measure, finding.measure
    if before is None or after is None:
        return before is not after
    factor = _WORTH_TELLING.get(finding.situation)
    if factor is None:
        # What lasts as long as it did is gone the later the later it is looked at: no news.
        later = after - before - max(0, now_ms - current.told_at_ms) / DAY_MS
        return before - after >= policy.update_days or later >= policy.update_days
    if finding.situation == "demand":
        return after >= factor * before
    return not before / factor < after < before * factor


def _is_worse(before: AlertState, after: AlertState) -> bool:
    """Whether a planner must hear of it at once."""
    if not after.is_open:
        return False
    has_woken = before.snoozed_until_day is not None and after.snoozed_until_day is None
    if has_woken and _KINDS[after.kind] >= _KINDS[before.kind]:
        return True
    return (
        _KINDS[after.kind] > _KINDS[before.kind]
        or _SEVERITIES[after.severity] > _SEVERITIES[before.severity]
    )
