"""Which of the candidates a visitor sees."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from math import isfinite
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from stream.domain.outputs import RecommendedItem
from stream.domain.sessions import (
    Session,
    basket,
    bought_since,
    has_only_browsed,
    latest_products,
)

SIMILAR_SESSIONS = "similar sessions"
TRENDING = "trending now"
#: Added to the reason of what was moved up for it.
PLENTY = ", plenty in stock"
#: How many of the products last acted on are asked what they are bought with.
N_ANCHORS = 5
_NOTHING: frozenset[str] = frozenset()
_NO_NAMES: Mapping[str, str] = MappingProxyType({})


class RankingPolicy(Struct, frozen=True, kw_only=True):
    """How many to show, and for how long what was bought is left out.

    Attributes:
        n_novel: Of these, places for products that the model does not know.
        overstock_places: Places that a product moves up at most where far more of it is there than
            sells; also into the answer from beyond its end.
    """

    n_items: int = 10
    n_novel: int = 1
    exclude_bought_within_ms: int = 24 * 3600 * 1000
    overstock_places: int = 0


def bought_with_reason(anchor: str) -> str:
    """Return the reason of a product that is often in one order with *anchor*."""
    return f"bought with {anchor}"


def rank(
    candidates: Iterable[tuple[str, float]],
    session: Session,
    *,
    sold_out: Collection[str],
    now_ms: int,
    policy: RankingPolicy,
    names: Mapping[str, str] = _NO_NAMES,
    novel: Iterable[tuple[str, str]] = (),
    overstocked: Collection[str] = _NOTHING,
) -> tuple[RecommendedItem, ...]:
    """Return the best of *candidates* that the visitor can still want.

    Left out: what is in the basket, what is sold out, and what was bought of late, counted back
    from *now_ms*. *candidates* are products and scores, best first, as the model gives them, read
    only until enough are found; *sold_out* is asked once for each, so give a set. *names* are
    those to show, by product. The last places are for *novel*, see :func:`novelties`. What is
    *overstocked* moves up a little, and its reason says so.

    Returns:
        At most ``policy.n_items``, best first; empty when every candidate is left out.
    """
    _, out = _unwanted(session, now_ms, policy)
    places = policy.overstock_places if overstocked else 0
    shown: dict[str, RecommendedItem] = {}
    for product_id, score in candidates:
        if product_id in out or product_id in sold_out or product_id in shown:
            continue
        if not isfinite(score):
            continue
        shown[product_id] = RecommendedItem(
            len(shown) + 1, product_id, score, SIMILAR_SESSIONS, names.get(product_id)
        )
        if len(shown) == policy.n_items + places:
            break
    ranked = tuple(shown.values())
    if places:
        ranked = _favoured(ranked, overstocked, policy)
    left_out = {*out, *shown}
    new = [each for each in novel if each[0] not in left_out and each[0] not in sold_out]
    return _with_novel(ranked, new[: policy.n_novel], policy, names) if new and ranked else ranked


def _favoured(
    ranked: Sequence[RecommendedItem], overstocked: Collection[str], policy: RankingPolicy
) -> tuple[RecommendedItem, ...]:
    """Return the first of *ranked* once those of *overstocked* have moved up.

    Scores stay with their places: they order the answer, and mean no more.
    """
    moved: list[RecommendedItem] = []
    for item in ranked:
        at = len(moved)
        if item.product_id in overstocked:
            at = max(0, at - policy.overstock_places)
            # Not past one that moved up itself: both would move without end.
            while at < len(moved) and moved[at].product_id in overstocked:
                at += 1
        moved.insert(at, item)
    return tuple(
        replace(
            item,
            rank=place,
            score=ranked[place - 1].score,
            reason=item.reason + PLENTY * (place < item.rank),
        )
        for place, item in enumerate(moved[: policy.n_items], start=1)
    )


def novelties(
    session: Session, bought_with: Mapping[str, Sequence[str]], known: Container[str]
) -> list[tuple[str, str]]:
    """Return what goes with the visitor's latest products and the model cannot propose, best first.

    Products and reasons. A product that came into the store after the model was trained is in
    orders long before it is in a vocabulary; *known* are those in it.
    """
    return [each for each in _goes_with(session, bought_with) if each[0] not in known]


def _with_novel(
    ranked: tuple[RecommendedItem, ...],
    novel: Sequence[tuple[str, str]],
    policy: RankingPolicy,
    names: Mapping[str, str],
) -> tuple[RecommendedItem, ...]:
    """Return *ranked* with *novel* behind, in the places of its last ones where it is full."""
    kept = ranked[: policy.n_items - len(novel)]
    score = ranked[-1].score
    return kept + tuple(
        RecommendedItem(place, product_id, score, reason, names.get(product_id))
        for place, (product_id, reason) in enumerate(novel, start=len(kept) + 1)
    )


def trends(
    product_ids: Iterable[str], *, names: Mapping[str, str] = _NO_NAMES
) -> tuple[RecommendedItem, ...]:
    """Return best sellers, best first, as they are shown to somebody of whom nothing is known.

    *product_ids* are for sale.
    """
    return tuple(
        RecommendedItem(place, product_id, _score(place), TRENDING, names.get(product_id))
        for place, product_id in enumerate(product_ids, start=1)
    )


def fallback(
    session: Session,
    *,
    trending: Sequence[RecommendedItem],
    bought_with: Mapping[str, Sequence[str]],
    sold_out: Collection[str],
    policy: RankingPolicy,
    now_ms: int | None = None,
    names: Mapping[str, str] = _NO_NAMES,
) -> tuple[RecommendedItem, ...]:
    """Return what to show without a model: first what goes with the visitor's latest products.

    Never empty while anything trending is neither sold out nor in the basket: rather than show
    nothing it repeats what was bought of late. *trending* are :func:`trends`; *now_ms* is the time
    of the session's latest event when absent. Scores only order the items.
    """
    now_ms = session.updated_at_ms if now_ms is None else now_ms
    in_basket, out = _unwanted(session, now_ms, policy)
    goes_with = _goes_with(session, bought_with) if bought_with else []
    if not out and not goes_with:
        return tuple(trending[: policy.n_items])
    offered = [each for each in goes_with if each[0] not in sold_out]
    offered += [(item.product_id, TRENDING) for item in trending]
    return _first(offered, out, policy, names) or _first(offered, in_basket, policy, names)


def _first(
    offered: Iterable[tuple[str, str]],
    left_out: Collection[str],
    policy: RankingPolicy,
    names: Mapping[str, str],
) -> tuple[RecommendedItem, ...]:
    shown: dict[str, RecommendedItem] = {}
    for position, (product_id, reason) in enumerate(offered, start=1):
        if len(shown) == policy.n_items:
            break
        if product_id not in left_out and product_id not in shown:
            place, score = len(shown) + 1, _score(position)
            shown[product_id] = RecommendedItem(
                place, product_id, score, reason, names.get(product_id)
            )
    return tuple(shown.values())


def _score(position: int) -> float:
    """A number that falls with the position, short where it is written."""
    return round(1 / position, 6)


def _unwanted(
    session: Session, now_ms: int, policy: RankingPolicy
) -> tuple[frozenset[str], frozenset[str]]:
    """Return what is in the basket, and that with what was bought of late."""
    if has_only_browsed(session):
        return _NOTHING, _NOTHING
    in_basket = basket(session)
    return in_basket, in_basket | bought_since(session, now_ms - policy.exclude_bought_within_ms)


def _goes_with(session: Session, bought_with: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Take the best partner of each recent product, then the second best of each, and so on."""
    anchors = latest_products(session, N_ANCHORS)
    partners = [(anchor, bought_with[anchor]) for anchor in anchors if anchor in bought_with]
    depth = max([len(others) for _, others in partners]) if partners else 0
    return [
        (others[place], bought_with_reason(anchor))
        for place in range(depth)
        for anchor, others in partners
        if place < len(others)
    ]
