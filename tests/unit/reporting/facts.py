"""What was recommended, shown and clicked, for tests: valid, joined, and a little after noon."""

from __future__ import annotations

from collections.abc import Sequence

from stream.domain.events import Item, RecommendationClicked, RecommendationShown
from stream.domain.outputs import Recommendation, RecommendedItem
from stream.reporting.claims import Claims, Display
from stream.reporting.period import HOUR_MS, Period, Sample
from tests.unit.builders import NOON_MS

DAY = Period(24 * HOUR_MS)


def make_recommendation(
    recommendation_id: str = "r1",
    *,
    visitor_id: str = "ann",
    variant: str = "a",
    products: Sequence[str] = ("milk", "tea"),
    degraded: bool = False,
) -> Recommendation:
    return Recommendation(
        recommendation_id=recommendation_id,
        visitor_id=visitor_id,
        covers=(),
        items=tuple(
            RecommendedItem(rank, product, 1.0, "trending now")
            for rank, product in enumerate(products, 1)
        ),
        strategy="trending",
        model="counts",
        model_version="",
        degraded=degraded,
        created_at_ms=NOON_MS,
        as_of_ms=NOON_MS,
        variant=variant,
    )


def make_shown(
    recommendation_id: str = "r1",
    *,
    visitor_id: str = "ann",
    variant: str | None = None,
    products: Sequence[str] = (),
    at_ms: int = NOON_MS,
    simulated: bool = False,
) -> RecommendationShown:
    return RecommendationShown(
        event_id=f"shown-{recommendation_id}",
        occurred_at_ms=at_ms,
        visitor_id=visitor_id,
        recommendation_id=recommendation_id,
        variant=variant,
        items=tuple(map(Item, products)),
        simulated=simulated,
    )


def make_click(
    recommendation_id: str = "r1",
    *,
    product_id: str = "milk",
    visitor_id: str = "ann",
    variant: str | None = None,
    at_ms: int = NOON_MS + 1,
) -> RecommendationClicked:
    return RecommendationClicked(
        event_id=f"clicked-{recommendation_id}-{product_id}",
        occurred_at_ms=at_ms,
        visitor_id=visitor_id,
        recommendation_id=recommendation_id,
        product_id=product_id,
        variant=variant,
    )


def make_display(
    variant: str = "a",
    *,
    shown_at_ms: int = NOON_MS,
    products: Sequence[str] = ("milk", "tea"),
    is_clicked: bool = False,
    is_degraded: bool = False,
) -> Display:
    return Display(variant, shown_at_ms, tuple(products), is_clicked, is_degraded)


def joined(
    events: Sequence[RecommendationShown | RecommendationClicked],
    recommendations: Sequence[Recommendation],
    *,
    period: Period = DAY,
    sample: Sample | None = None,
) -> Claims:
    """The fold over *events*, then over *recommendations*."""
    claims = Claims(period, sample or Sample(1_000))
    for event in events:
        claims.take(event)
    for recommendation in recommendations:
        claims.join(recommendation)
    claims.end()
    return claims
