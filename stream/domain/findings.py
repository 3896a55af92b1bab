"""What is the matter with a product: at most one finding in each situation."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from stream.domain.assessment import Assessment
from stream.domain.outputs import AlertKind, Severity, Situation
from stream.domain.policy import StockPolicy
from stream.domain.products import AlertState, Product, alert_of, is_counted

_NOTHING: tuple[AlertKind | None, Severity] = (None, "info")


class Finding(NamedTuple):
    """What a situation comes to now.

    Attributes:
        kind: None where nothing is the matter.
        is_safe: Whether an open alert may end: beyond the threshold by a margin.
        measure: What an update is decided by: the day nothing is left at P90 for a shortage, units of
            today for demand, units too many for excess.
        covered_until_day: The day on which deliveries end it by themselves; None where they do not.
            Without a *kind* they come in time: nothing begins, and what has begun waits for them.
    """

    situation: Situation
    kind: AlertKind | None = None
    severity: Severity = "info"
    is_safe: bool = True
    measure: float | None = None
    covered_until_day: int | None = None


def findings(
    product: Product, assessment: Assessment, *, today: int, policy: StockPolicy
) -> tuple[Finding, ...]:
    """Return what *product* comes to in each situation, in the order in which it is told."""
    return (
        _shortage(product, assessment, today, policy),
        _return(product, assessment, today, policy),
        _demand(product, assessment),
        _excess(product, assessment, policy),
    )


def _shortage(product: Product, assessment: Assessment, today: int, policy: StockPolicy) -> Finding:
    kind, severity = _short(product, assessment)
    figures, lasts = assessment.figures, assessment.lasts_days
    lead, margin = figures.lead_time_days, policy.resolve_margin_days
    enough = assessment.position >= assessment.margin_point
    lasting = lasts is None or lasts >= lead + margin
    is_unmissed = kind is None and assessment.units <= 0
    # Also where they come in time: what has begun is over when they are there.
    covered = assessment.covered_day if policy.snooze_on_order and not is_unmissed else None
    if covered is not None and covered > today + ceil(lead + policy.review_days):
        covered = None  # what is ordered now is there sooner
    return Finding(
        "shortage",
        kind,
        severity,
        is_safe=is_unmissed or (kind is None and covered is None and enough and lasting),
        measure=assessment.stock_out_day,
        covered_until_day=covered,
    )


def _short(product: Product, assessment: Assessment) -> tuple[AlertKind | None, Severity]:
    if not is_counted(product):
        return _NOTHING
    is_empty = assessment.units <= 0
    return _gone(assessment) if is_empty else _running_out(assessment)


def _gone(assessment: Assessment) -> tuple[AlertKind | None, Severity]:
    if assessment.units < 0:
        return "oversold", "critical"
    return ("out_of_stock", "critical") if assessment.is_wanted else _NOTHING


def _running_out(assessment: Assessment) -> tuple[AlertKind | None, Severity]:
    lead, lasts = assessment.figures.lead_time_days, assessment.lasts_days
    if any(each.counted and each.on_hand < each.reserved for each in assessment.figures.locations):
        return "oversold", "high"
    if lasts is not None and lasts < lead:
        likely = assessment.lasts_days_p50
        return "stockout_risk", "high" if likely is not None and likely < lead else "warning"
    if assessment.position <= assessment.figures.reorder_point:
        return "low_stock", "warning"
    return _NOTHING


def _return(product: Product, assessment: Assessment, today: int, policy: StockPolicy) -> Finding:
    """Say that it is back where it was said to be gone, for a day."""
    state = alert_of(product, "return")
    if assessment.units <= 0:
        return Finding("return")
    if state is not None and state.is_open:
        is_new = state.measure is None or today < state.measure + policy.back_in_stock_days
        return Finding("return", "back_in_stock" if is_new else None, measure=state.measure)
    shortage = alert_of(product, "shortage")
    if shortage is None or not was_gone(shortage):
        return Finding("return")
    # Once for each time that it was said to be gone.
    is_said = state is not None and state.opened_at_ms >= shortage.told_at_ms
    return Finding("return") if is_said else Finding("return", "back_in_stock", measure=today)


def was_gone(shortage: AlertState) -> bool:
    """Whether the last that was said is that nothing of it can be sold."""
    is_empty = shortage.kind in ("out_of_stock", "oversold") and shortage.severity == "critical"
    return shortage.is_open and is_empty


def _demand(product: Product, assessment: Assessment) -> Finding:
    figures, point = assessment.figures, assessment.spike_point
    if point is None:
        return Finding("demand")
    if figures.units_today >= point:
        cover, lead = figures.days_of_cover_p50, figures.lead_time_days
        is_short = is_counted(product) and cover is not None and cover < lead
        severity: Severity = "high" if is_short else "warning"
        return Finding("demand", "demand_spike", severity, False, figures.units_today)
    is_over = 2 * figures.units_today < point and not assessment.has_spiked_before
    return Finding("demand", is_safe=is_over)


def _excess(product: Product, assessment: Assessment, policy: StockPolicy) -> Finding:
    if not is_counted(product) or assessment.units <= 0:
        return Finding("excess")
    since = assessment.figures.days_since_sale
    if since is not None and since >= policy.dead_days:
        return Finding("excess", "dead_stock", "warning", False, assessment.units)
    state = alert_of(product, "excess")
    was_dead = state is not None and state.kind == "dead_stock"
    is_over = was_dead or assessment.slack <= 0
    if assessment.surplus <= 0 or assessment.known_days < policy.known_days:
        return Finding("excess", is_safe=is_over)
    return Finding("excess", "overstock", "info", False, assessment.surplus)
