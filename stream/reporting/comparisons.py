"""Each variant beside the one with most visitors, over the time in which both were shown.

A variant that was shown for a week has had more visits of each visitor than one of yesterday, and more
visitors buy of seven visits than of one. So what is compared is what was shown from the later of their
first displays to the earlier of their last ones, and of whom both were shown in that time is left out:
the statistics suppose that visitors are one's or the other's. Purchases are credited as if only what
was shown in that time had been shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from stream.domain.experiments import MIN_VISITORS, Difference, difference
from stream.reporting.arms import Arm, arms_of
from stream.reporting.claims import Display
from stream.reporting.period import Span
from stream.reporting.purchases import Purchases


class NoVerdict(StrEnum):
    """Why nothing is said of whether two variants differ."""

    APART = "not_shown_at_the_same_time"
    NOBODY = "nobody_left_on_a_side"
    FEW = "few_visitors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One variant beside the one that has most visitors.

    Attributes:
        span: In which both were shown; None where one came after the other.
        n_visitors: To whom this one was shown in it, and the other was not.
        n_others: To whom the other was shown in it, and this one was not.
        n_of_both: To whom both were shown in it; they are left out.
    """

    variant: str
    span: Span | None
    n_visitors: int = 0
    n_others: int = 0
    n_of_both: int = 0
    click_through: Difference | None = None
    conversion: Difference | None = None

    @property
    def no_verdict(self) -> NoVerdict | None:
        """Return why there is none; the rates are of the same visitors, and so have both or neither."""
        fewer = min(self.n_visitors, self.n_others)
        if self.span is None:
            return NoVerdict.APART
        if fewer == 0:
            return NoVerdict.NOBODY
        return NoVerdict.FEW if fewer < MIN_VISITORS else None


def comparisons_of(arms: Sequence[Arm], purchases: Purchases) -> list[Comparison]:
    """Return how all others differ from the first of *arms*, all of the displays of *purchases*."""
    spans = _spans(purchases.displays)
    found = []
    for arm in arms[1:]:
        span = spans[arm.variant].common(spans[arms[0].variant])
        if span is None:
            found.append(Comparison(variant=arm.variant, span=None))
        else:
            found.append(_comparison(arm.variant, arms[0].variant, span, purchases))
    return found


def _spans(displays: Mapping[str, Sequence[Display]]) -> dict[str, Span]:
    """Return from its first to its last display when each variant was shown."""
    times: dict[str, tuple[int, int]] = {}
    for shown in displays.values():
        for display in shown:
            at_ms = display.shown_at_ms
            first_ms, last_ms = times.get(display.variant, (at_ms, at_ms))
            times[display.variant] = min(first_ms, at_ms), max(last_ms, at_ms)
    return {variant: Span(first_ms, last_ms + 1) for variant, (first_ms, last_ms) in times.items()}


def _comparison(variant: str, other: str, span: Span, purchases: Purchases) -> Comparison:
    displays, n_of_both = _of_one_only({variant, other}, span, purchases.displays)
    arms = {arm.variant: arm for arm in arms_of(displays, purchases.credits(displays))}
    ours, others = arms.get(variant), arms.get(other)
    compared = Comparison(
        variant=variant,
        span=span,
        n_visitors=ours.n_visitors if ours else 0,
        n_others=others.n_visitors if others else 0,
        n_of_both=n_of_both,
    )
    if ours is None or others is None:
        return compared
    return replace(
        compared,
        click_through=difference(ours.click_through, others.click_through),
        conversion=difference(ours.conversion, others.conversion),
    )


def _of_one_only(
    pair: set[str], span: Span, displays: Mapping[str, Sequence[Display]]
) -> tuple[dict[str, list[Display]], int]:
    """Return what was shown in *span* to visitors of one of *pair*, and of how many both were.

    What other variants have shown them stays: a purchase may be theirs.
    """
    kept, n_of_both = {}, 0
    for visitor_id, shown in displays.items():
        within = [display for display in shown if span.holds(display.shown_at_ms)]
        n_variants = len(pair.intersection(display.variant for display in within))
        n_of_both += n_variants == 2
        if n_variants == 1:
            kept[visitor_id] = within
    return kept, n_of_both
