"""What a report found out, and how it is told to programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from stream.domain.experiments import CONFIDENCE, Difference, Rate
from stream.reporting.arms import Arm
from stream.reporting.comparisons import Comparison
from stream.reporting.period import HOUR_MS, Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All of it.

    Attributes:
        arms: Those with most visitors first.
        comparisons: Of all others with the first of them, in their order.
        n_read: Records by topic.
        n_unreadable: Of these, no values of their topic.
        left_out: Events that count for no variant, by why.
        one_in: Of so many visitors one was looked at.
        n_open: Shown so late that the window went on behind the last event read.
        n_in_several: Visitors who were shown recommendations of several variants.
        n_simulated: Events of what was shown and clicked that say so.
    """

    period: Period
    arms: Sequence[Arm]
    comparisons: Sequence[Comparison]
    n_read: Mapping[str, int]
    n_unreadable: Mapping[str, int]
    left_out: Mapping[str, int]
    one_in: int
    n_open: int
    n_in_several: int
    n_simulated: int


def report_of(findings: Findings) -> dict[str, object]:
    """Return the JSON report; rates are shares, 0 to 1, and times ms since the Unix epoch."""
    period = findings.period
    return {
        "period": {
            "since_ms": period.since_ms,
            "until_ms": period.until_ms,
            "window_hours": period.window_ms / HOUR_MS,
        },
        "confidence": CONFIDENCE,
        "one_visitor_in": findings.one_in,
        "read": dict(findings.n_read),
        "unreadable": dict(findings.n_unreadable),
        "left_out": dict(findings.left_out),
        "window_open": findings.n_open,
        "visitors_of_several_variants": findings.n_in_several,
        "simulated_events": findings.n_simulated,
        "variants": {arm.variant: _arm(arm) for arm in findings.arms},
        "compared_with": findings.arms[0].variant if findings.arms else None,
        "differences": {each.variant: _comparison(each) for each in findings.comparisons},
    }


def write_report(findings: Findings, path: Path) -> None:
    """Write the report as indented JSON, making the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        msgspec.json.format(msgspec.json.encode(report_of(findings)), indent=2) + b"\n"
    )


def _arm(arm: Arm) -> dict[str, object]:
    return {
        "visitors": arm.n_visitors,
        "shown": arm.n_shown,
        "degraded": arm.n_degraded,
        "clicked": arm.n_clicked,
        "click_through": _rate(arm.click_through),
        "buyers": arm.n_buyers,
        "conversion": _rate(arm.conversion),
        "revenue": dict(arm.revenue),
        "unpriced": arm.n_unpriced,
    }


def _rate(rate: Rate) -> dict[str, float]:
    low, high = rate.interval
    return {"share": rate.share, "low": low, "high": high}


def _comparison(comparison: Comparison) -> dict[str, object]:
    span, no_verdict = comparison.span, comparison.no_verdict
    return {
        "since_ms": None if span is None else span.since_ms,
        "until_ms": None if span is None else span.until_ms,
        "visitors": comparison.n_visitors,
        "visitors_compared_with": comparison.n_others,
        "visitors_of_both": comparison.n_of_both,
        "click_through": _difference(comparison.click_through),
        "conversion": _difference(comparison.conversion),
        "no_verdict": None if no_verdict is None else str(no_verdict),
    }


def _difference(difference: Difference | None) -> dict[str, float | bool | None] | None:
    if difference is None:
        return None
    low, high = difference.interval
    differs = difference.differs
    return {"amount": difference.amount, "low": low, "high": high, "differs": differs}
