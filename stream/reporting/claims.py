"""What events say was shown and clicked, joined to the recommendations that they name.

Events first, then recommendations: most of these are never shown, and are forgotten as they are
read. Within either the order does not matter, and neither do repeats: a recommendation is shown once
and clicked once, however often it is said.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from stream.domain.events import (
    MAX_LINES,
    ClickstreamEvent,
    RecommendationClicked,
    RecommendationShown,
)
from stream.domain.outputs import Recommendation
from stream.reporting.period import Period, Sample


class LeftOut(StrEnum):
    """Why an event counts for no variant."""

    UNKNOWN = "unknown_recommendation"
    ANOTHER_VISITORS = "another_visitors"
    OTHER_VARIANT = "other_variant"
    UNSHOWN = "clicked_and_not_shown"
    FOREIGN_CLICK = "clicked_another_product"


class Display(NamedTuple):
    """A recommendation that was shown to its visitor.

    Attributes:
        shown_at_ms: For the first time in the period.
        products: Those that were shown.
    """

    variant: str
    shown_at_ms: int
    products: tuple[str, ...]
    is_clicked: bool
    is_degraded: bool


@dataclass(slots=True)
class _Claim:
    """What the events of one visitor say of one recommendation, with one word about its variant."""

    visitor_id: str
    variant: str
    shown_at_ms: int | None = None
    listed: tuple[str, ...] = ()
    clicked: tuple[str, ...] = ()
    n_clicks: int = 0
    n_events: int = 0

    def take(self, event: RecommendationShown | RecommendationClicked) -> None:
        self.n_events += 1
        if isinstance(event, RecommendationClicked):
            self.n_clicks += 1
            self.clicked = _with(self.clicked, [event.product_id])
            return
        at_ms = event.occurred_at_ms
        self.shown_at_ms = at_ms if self.shown_at_ms is None else min(at_ms, self.shown_at_ms)
        self.listed = _with(self.listed, [item.product_id for item in event.items])


class Claims:
    """The fold over events, then over recommendations.

    Attributes:
        displays: Of each visitor, those that count, as far as they are joined.
        left_out: Events that count for no variant, by why.
        n_simulated: Events taken that say so.
    """

    def __init__(self, period: Period, sample: Sample) -> None:
        self._period = period
        self._sample = sample
        self._claims: dict[str, list[_Claim]] = {}
        self._n_held = 0
        self.displays: dict[str, list[Display]] = {}
        self.left_out: Counter[LeftOut] = Counter()
        self.n_simulated = 0

    def take(self, event: ClickstreamEvent) -> None:
        """Note what *event* says of a recommendation, if it is one that counts."""
        if isinstance(event, RecommendationShown):
            counts = self._period.holds(event.occurred_at_ms)
        elif isinstance(event, RecommendationClicked):
            counts = self._period.has_begun(event.occurred_at_ms)
        else:
            return
        if counts and self._sample.takes(event.visitor_id):
            self.n_simulated += event.simulated
            self._claim(event).take(event)
            while self._n_held > self._sample.max_held:
                self._leave_out_half()

    def join(self, recommendation: Recommendation) -> None:
        """Join what was said of *recommendation*; all events were taken before.

        It lies in its topic more than once where a worker was killed: the first counts.
        """
        claims = self._claims.pop(recommendation.recommendation_id, None)
        if claims is None:
            return
        true = [claim for claim in claims if self._is_true(claim, recommendation)]
        display = self._display(true, recommendation)
        if display is not None:
            self.displays.setdefault(recommendation.visitor_id, []).append(display)

    def end(self) -> None:
        """Say that every recommendation was read: what is not joined by now is unknown."""
        self.left_out[LeftOut.UNKNOWN] += sum(
            claim.n_events for claims in self._claims.values() for claim in claims
        )
        self._claims.clear()

    def _claim(self, event: RecommendationShown | RecommendationClicked) -> _Claim:
        claims = self._claims.setdefault(event.recommendation_id, [])
        variant = event.variant or ""
        for claim in claims:
            if claim.visitor_id == event.visitor_id and claim.variant == variant:
                return claim
        claims.append(_Claim(event.visitor_id, sys.intern(variant)))
        self._n_held += 1
        return claims[-1]

    def _leave_out_half(self) -> None:
        self._sample.halve()
        kept = {
            recommendation_id: [claim for claim in claims if self._sample.takes(claim.visitor_id)]
            for recommendation_id, claims in self._claims.items()
        }
        self._claims = {named: claims for named, claims in kept.items() if claims}
        self._n_held = sum(map(len, self._claims.values()))

    def _is_true(self, claim: _Claim, recommendation: Recommendation) -> bool:
        """Whether *claim* contradicts *recommendation* in nothing that both say."""
        if claim.visitor_id != recommendation.visitor_id:
            self.left_out[LeftOut.ANOTHER_VISITORS] += claim.n_events
            return False
        if claim.variant and claim.variant != recommendation.variant:
            self.left_out[LeftOut.OTHER_VARIANT] += claim.n_events
            return False
        return True

    def _display(self, claims: list[_Claim], recommendation: Recommendation) -> Display | None:
        """Return what *claims* come to; a click on nothing that was shown is none.

        Of displays whose event was lost only those that were clicked would be known: to count them
        would raise the rate.
        """
        shown = [claim.shown_at_ms for claim in claims if claim.shown_at_ms is not None]
        if not shown:
            self.left_out[LeftOut.UNSHOWN] += sum(claim.n_clicks for claim in claims)
            return None
        held = tuple(sys.intern(item.product_id) for item in recommendation.items)
        listed = {product for claim in claims for product in claim.listed}
        clicked = {product for claim in claims for product in claim.clicked}
        self.left_out[LeftOut.FOREIGN_CLICK] += len(clicked.difference(held))
        return Display(
            variant=sys.intern(recommendation.variant),
            shown_at_ms=min(shown),
            products=tuple(p for p in held if not listed or p in listed or p in clicked),
            is_clicked=not clicked.isdisjoint(held),
            is_degraded=recommendation.degraded,
        )


def _with(products: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    """Return *products* and those of *more* that are new, no more than one event may list."""
    new = dict.fromkeys(sys.intern(product) for product in more if product not in products)
    return (*products, *new)[:MAX_LINES]
