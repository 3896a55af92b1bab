"""Which of the candidates a visitor sees."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from math import isfinite
from typing import NamedTuple

from msgspec import Struct

from stream.domain.sessions import Session, basket, bought_since, latest_products

SIMILAR_SESSIONS = "similar sessions"
TRENDING = "trending now"
#: How many of the products last acted on are asked what they are bought with.
N_ANCHORS = 5


class RankingPolicy(Struct, frozen=True, kw_only=True):
    """How many to show, and for how long what was bought is left out."""

    n_items: int = 10
    exclude_bought_within_ms: int = 24 * 3600 * 1000


class RankedItem(NamedTuple):
    """A product to show and why."""

    product_id: str
    score: float
    reason: str


def bought_with_reason(anchor: str) -> str:
    """Return the reason of a product that is often in one order with *anchor*."""
    return f"bought with {anchor}"


def rank(
    candidates: Sequence[tuple[str, float]],
    session: Session,
    *,
    sold_out: Collection[str],
    now_ms: int,
    policy: RankingPolicy,
) -> tuple[RankedItem, ...]:
    """Return the best of *candidates* that the visitor can still want.

    Left out: what is in the basket, what is sold out, and what was bought of late, counted back
    from *now_ms*. *candidates* are products and scores, best first, as the model gives them;
    *sold_out* is asked once for each, so give a set.

    Returns:
        At most ``policy.n_items``, best first; empty when every candidate is left out.
    """
    out = basket(session) | bought_since(session, now_ms - policy.exclude_bought_within_ms)
    items = (
        RankedItem(product_id, score, SIMILAR_SESSIONS)
        for product_id, score in candidates
        if isfinite(score)
    )
    return _first_distinct(items, policy.n_items, out=out, sold_out=sold_out)


def fallback(
    session: Session,
    *,
    trending: Sequence[str],
    bought_with: Mapping[str, Sequence[str]],
    sold_out: Collection[str],
    policy: RankingPolicy,
    now_ms: int | None = None,
) -> tuple[RankedItem, ...]:
    """Return what to show without a model: first what goes with the visitor's latest products.

    Never empty while anything trending is neither sold out nor in the basket: rather than show
    nothing it repeats what was bought of late. *trending* are best sellers, best first; *now_ms* is
    the time of the session's latest event when absent. Scores only order the items.
    """
    if not trending and not bought_with:
        return ()
    now_ms = session.updated_at_ms if now_ms is None else now_ms
    in_basket = basket(session)
    out = in_basket | bought_since(session, now_ms - policy.exclude_bought_within_ms)
    for left_out in (out, in_basket):
        items = chain(
            _goes_with(session, bought_with), ((product_id, TRENDING) for product_id in trending)
        )
        scored = (
            RankedItem(product_id, 1 / position, reason)
            for position, (product_id, reason) in enumerate(items, start=1)
        )
        if chosen := _first_distinct(scored, policy.n_items, out=left_out, sold_out=sold_out):
            return chosen
    return ()


def _goes_with(
    session: Session, bought_with: Mapping[str, Sequence[str]]
) -> Iterable[tuple[str, str]]:
    """Take the best partner of each recent product, then the second best of each, and so on."""
    anchors = latest_products(session, N_ANCHORS)
    partners = [(anchor, bought_with.get(anchor, ())) for anchor in anchors]
    depth = max((len(others) for _, others in partners), default=0)
    for place in range(depth):
        for anchor, others in partners:
            if place < len(others):
                yield others[place], bought_with_reason(anchor)


def _first_distinct(
    items: Iterable[RankedItem], n_items: int, *, out: Collection[str], sold_out: Collection[str]
) -> tuple[RankedItem, ...]:
    chosen: dict[str, RankedItem] = {}
    for item in items:
        if len(chosen) == n_items:
            break
        if item.product_id not in out and item.product_id not in sold_out:
            chosen.setdefault(item.product_id, item)
    return tuple(chosen.values())
