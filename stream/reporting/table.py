"""The findings as a person reads them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from stream.domain.experiments import MIN_VISITORS, Difference, Rate
from stream.printable import printable
from stream.reporting.arms import Arm
from stream.reporting.claims import LeftOut
from stream.reporting.comparisons import NoVerdict
from stream.reporting.findings import Findings
from stream.reporting.period import HOUR_MS, Span

#: Of recommendations from before there were variants.
NO_VARIANT = "(none)"
_MAX_CHARS = 64

_WHY = {
    LeftOut.UNKNOWN: "name a recommendation that is not in the topic, or not any more",
    LeftOut.ANOTHER_VISITORS: "name a recommendation for another visitor",
    LeftOut.OTHER_VARIANT: "name another variant than the recommendation does",
    LeftOut.UNSHOWN: "are clicks on what was not shown in the period",
    LeftOut.FOREIGN_CLICK: "are clicks on a product that the recommendation does not have",
}

_WHY_NO_VERDICT = {
    NoVerdict.APART: "the two were not shown at the same time",
    NoVerdict.NOBODY: "nobody is left on a side who was shown one of the two only",
    NoVerdict.FEW: f"fewer than {MIN_VISITORS} visitors were shown one of the two only",
}


def arms_table(findings: Findings) -> Table:
    """Return what each variant achieved."""
    hours = findings.period.window_ms / HOUR_MS
    table = Table(
        title=f"Recommendations by variant; bought within {hours:g} h after they were shown"
    )
    table.add_column("variant", overflow="fold")
    for column in (
        *("visitors", "shown", "degraded", "clicked", "click-through", "95 %"),
        *("buyers", "conversion", "95 %", "revenue"),
    ):
        table.add_column(column, justify="right")
    for arm in findings.arms:
        table.add_row(
            _name(arm.variant),
            f"{arm.n_visitors:,}",
            f"{arm.n_shown:,}",
            f"{arm.n_degraded / arm.n_shown:.1%}",
            f"{arm.n_clicked:,}",
            *_rate(arm.click_through),
            f"{arm.n_buyers:,}",
            *_rate(arm.conversion),
            _revenue(arm),
        )
    return table


def differences_table(findings: Findings) -> Table:
    """Return how the others differ from the variant with most visitors, in percentage points."""
    largest = _name(findings.arms[0].variant).plain
    title = f"Difference to {largest}, which has most visitors, in points; while both were shown"
    table = Table(title=Text(title))
    table.add_column("variant", overflow="fold")
    for column in ("both shown", "visitors", "compared with"):
        table.add_column(column, justify="right")
    for rate in ("click-through", "conversion"):
        for column in (rate, "95 %", "differs"):
            table.add_column(column, justify="right")
    for each in findings.comparisons:
        table.add_row(
            _name(each.variant),
            _hours(each.span),
            f"{each.n_visitors:,}",
            f"{each.n_others:,}",
            *_difference(each.click_through),
            *_difference(each.conversion),
        )
    return table


def remarks(findings: Findings) -> Iterator[str]:
    """Yield what is to be known beside the tables, a line each."""
    if not findings.arms:
        yield "Nothing was shown in the period."
    if findings.one_in > 1:
        yield f"One visitor in {findings.one_in} was looked at (--at-most); the counts are theirs."
    for what, count, told in _counted(findings):
        if count:
            yield f"{what:<12} {count:,} {told}"
    for each in findings.comparisons:
        if each.no_verdict is not None:
            yield f"{'no verdict':<12} on {_name(each.variant)}: {_WHY_NO_VERDICT[each.no_verdict]}"


def _counted(findings: Findings) -> Iterator[tuple[str, int, str]]:
    for why, told in _WHY.items():
        yield "left out", findings.left_out.get(why, 0), told
    for topic, n_unreadable in findings.n_unreadable.items():
        yield "unreadable", n_unreadable, f"records of {topic}"
    yield "window open", findings.n_open, "shown so late that purchases may follow"
    yield "in several", findings.n_in_several, "visitors had more than one variant"
    for each in findings.comparisons:
        pair = f"{_name(each.variant)} and {_name(findings.arms[0].variant)}"
        yield "in both", each.n_of_both, f"visitors of {pair} at one time are not compared"
    n_unpriced = sum(arm.n_unpriced for arm in findings.arms)
    yield "unpriced", n_unpriced, "products bought, which are in no revenue"
    yield "simulated", findings.n_simulated, "of the events shown and clicked"


def _name(variant: str) -> Text:
    return Text(printable(variant or NO_VARIANT, _MAX_CHARS))


def _rate(rate: Rate) -> tuple[str, str]:
    low, high = rate.interval
    return f"{rate.share:.2%}", f"{low:.2%} to {high:.2%}"


def _difference(difference: Difference | None) -> tuple[str, str, str]:
    if difference is None:
        return "-", "-", "-"
    low, high = difference.interval
    differs = {True: "yes", False: "no", None: "-"}[difference.differs]
    return f"{100 * difference.amount:+.2f}", f"{100 * low:+.2f} to {100 * high:+.2f}", differs


def _hours(span: Span | None) -> str:
    return "-" if span is None else f"{(span.until_ms - span.since_ms) / HOUR_MS:,.1f} h"


def _revenue(arm: Arm) -> str:
    amounts = (
        f"{amount:,.2f} {currency}".rstrip() for currency, amount in sorted(arm.revenue.items())
    )
    return ", ".join(amounts) or "-"
