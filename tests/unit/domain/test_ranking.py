from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from stream.domain.events import ProductAdded
from stream.domain.ranking import (
    PLENTY,
    SIMILAR_SESSIONS,
    TRENDING,
    RankingPolicy,
    bought_with_reason,
    fallback,
    novelties,
    rank,
    trends,
)
from stream.domain.sessions import Session
from tests.unit.builders import NOON_MS, clicks_at, folded, make_order, make_view, orders_at

HOUR_MS = 3600 * 1000
POLICY = RankingPolicy(n_items=3, exclude_bought_within_ms=24 * HOUR_MS)
CANDIDATES = [("milk", 4.0), ("bread", 3.0), ("eggs", 2.0), ("salt", 1.0), ("tea", 0.5)]


def test_best_candidates_come_first_with_their_reason() -> None:
    items = rank(CANDIDATES, Session(), sold_out=set(), now_ms=NOON_MS, policy=POLICY)

    assert [item.product_id for item in items] == ["milk", "bread", "eggs"]
    assert {item.reason for item in items} == {SIMILAR_SESSIONS}


def test_sold_out_in_basket_and_just_bought_are_left_out() -> None:
    session = folded(
        [
            (make_view(product_id="bread", kind=ProductAdded), clicks_at(0)),
            (make_order(products=["eggs"]), orders_at(0)),
        ],
    )

    items = rank(CANDIDATES, session, sold_out={"milk"}, now_ms=NOON_MS, policy=POLICY)

    assert [item.product_id for item in items] == ["salt", "tea"]


def test_what_was_bought_long_ago_comes_back() -> None:
    session = folded([(make_order(products=["milk"]), orders_at(0))])

    items = rank(CANDIDATES, session, sold_out=set(), now_ms=NOON_MS + 25 * HOUR_MS, policy=POLICY)

    assert items[0].product_id == "milk"


def test_score_that_is_no_number_is_left_out() -> None:
    candidates = [("milk", math.nan), ("bread", math.inf), ("eggs", 1.0)]

    items = rank(candidates, Session(), sold_out=set(), now_ms=NOON_MS, policy=POLICY)

    assert [item.product_id for item in items] == ["eggs"]


def test_without_a_model_partners_of_the_latest_product_come_before_trends() -> None:
    session = folded([(make_view(product_id="milk"), clicks_at(0))])

    items = fallback(
        session,
        trending=trends(["tea", "bread"]),
        bought_with={"milk": ["bread"]},
        sold_out=set(),
        policy=POLICY,
    )

    assert [(item.product_id, item.reason) for item in items] == [
        ("bread", bought_with_reason("milk")),
        ("tea", TRENDING),
    ]
    assert items[0].score > items[1].score


def test_every_recent_product_is_asked_for_its_best_partner_first() -> None:
    session = folded(
        [
            (make_view(0, product_id="milk"), clicks_at(0)),
            (make_view(1, product_id="tea"), clicks_at(1)),
        ],
    )

    items = fallback(
        session,
        trending=trends([]),
        bought_with={"milk": ["bread", "eggs"], "tea": ["sugar", "lemon"]},
        sold_out=set(),
        policy=POLICY,
    )

    assert [item.product_id for item in items] == ["sugar", "bread", "lemon"]


def test_rather_than_nothing_what_was_just_bought_is_shown() -> None:
    session = folded([(make_order(products=["milk"]), orders_at(0))])

    items = fallback(
        session, trending=trends(["milk"]), bought_with={}, sold_out=set(), policy=POLICY
    )

    assert [item.product_id for item in items] == ["milk"]


def test_sold_out_is_not_shown_even_when_nothing_else_trends() -> None:
    items = fallback(
        Session(),
        trending=trends([]),
        bought_with={},
        sold_out={"milk"},
        policy=POLICY,
    )

    assert items == ()


PRODUCTS = st.sampled_from([f"p{i}" for i in range(12)])
LISTS = st.lists(PRODUCTS, max_size=12)


@given(LISTS, LISTS, st.frozensets(PRODUCTS), LISTS)
def test_no_answer_holds_what_nobody_can_or_need_buy(
    adds: list[str], bought: list[str], sold_out: frozenset[str], best: list[str]
) -> None:
    orders = [(make_order(i, products=[id_]), orders_at(i)) for i, id_ in enumerate(bought)]
    added = [
        (make_view(100 + i, product_id=id_, kind=ProductAdded), clicks_at(i))
        for i, id_ in enumerate(adds)
    ]
    session = folded([*orders, *added])

    by_model = rank(
        [(id_, 1.0) for id_ in best], session, sold_out=sold_out, now_ms=NOON_MS, policy=POLICY
    )
    trending = trends([id_ for id_ in best if id_ not in sold_out])
    by_counts = fallback(
        session, trending=trending, bought_with={}, sold_out=sold_out, policy=POLICY
    )

    for items in (by_model, by_counts):
        shown = [item.product_id for item in items]
        assert len(shown) == len(set(shown)) <= POLICY.n_items
        assert not sold_out & set(shown)
        assert not set(adds) & set(shown)
    assert not {item.product_id for item in by_model} & set(bought)
    assert bool(by_counts) == bool(set(best) - sold_out - set(adds))


def test_what_goes_with_the_latest_products_and_the_model_does_not_know_has_the_last_place() -> (
    None
):
    session = folded([(make_view(product_id="milk"), clicks_at(0))])
    bought_with = {"milk": ("bread", "oat drink", "oat flakes")}

    novel = novelties(session, bought_with, known={"milk", "bread", "eggs", "salt", "tea"})
    items = rank(CANDIDATES, session, sold_out=set(), now_ms=NOON_MS, policy=POLICY, novel=novel)

    assert [item.product_id for item in items] == ["milk", "bread", "oat drink"]
    assert [item.rank for item in items] == [1, 2, 3]
    assert items[2].reason == bought_with_reason("milk")
    assert items[2].score <= items[1].score


def test_a_novelty_that_cannot_be_bought_or_is_in_the_basket_gives_way_to_the_next() -> None:
    session = folded([(make_view(product_id="cap", kind=ProductAdded), clicks_at(0))])
    novel = [("cap", "r"), ("gone", "r"), ("hat", "r")]

    items = rank(CANDIDATES, session, sold_out={"gone"}, now_ms=NOON_MS, policy=POLICY, novel=novel)

    assert [item.product_id for item in items] == ["milk", "bread", "hat"]


def test_novelties_come_behind_where_there_is_room_and_are_never_alone() -> None:
    few, novel = CANDIDATES[:1], [("hat", "r"), ("cap", "r")]
    policy = RankingPolicy(n_items=3, n_novel=2)

    def ranked(candidates: list[tuple[str, float]]) -> list[str]:
        items = rank(
            candidates, Session(), sold_out=set(), now_ms=NOON_MS, policy=policy, novel=novel
        )
        return [item.product_id for item in items]

    assert ranked(few) == ["milk", "hat", "cap"]
    assert ranked([]) == []


# --- Overstock ---------------------------------------------------------------------------------


def favoured(*overstocked: str, places: int = 2) -> list[tuple[str, str]]:
    items = rank(
        CANDIDATES,
        Session(),
        sold_out=set(),
        now_ms=NOON_MS,
        policy=RankingPolicy(n_items=3, overstock_places=places),
        overstocked=set(overstocked),
    )
    assert [item.rank for item in items] == [1, 2, 3]
    return [(item.product_id, item.reason) for item in items]


def test_overstock_moves_up_a_little_and_its_reason_says_so() -> None:
    assert favoured("eggs", places=1) == [
        ("milk", SIMILAR_SESSIONS),
        ("eggs", SIMILAR_SESSIONS + PLENTY),
        ("bread", SIMILAR_SESSIONS),
    ]


def test_overstock_may_come_in_from_just_beyond_the_end() -> None:
    assert [product_id for product_id, _ in favoured("tea")] == ["milk", "bread", "tea"]
    assert [product_id for product_id, _ in favoured("tea", places=1)] == ["milk", "bread", "eggs"]


def test_overstock_passes_no_other_overstock() -> None:
    assert [product_id for product_id, _ in favoured("bread", "eggs")] == ["bread", "eggs", "milk"]


def test_overstock_that_is_the_best_anyhow_was_not_moved() -> None:
    assert favoured("milk")[0] == ("milk", SIMILAR_SESSIONS)


def test_overstock_is_not_favoured_unless_it_is_asked_for() -> None:
    assert [product_id for product_id, _ in favoured("eggs", places=0)] == ["milk", "bread", "eggs"]


@given(
    st.lists(st.sampled_from("abcdefghij"), unique=True),
    st.sets(st.sampled_from("abcdefghij")),
    st.integers(0, 4),
)
def test_overstock_moves_up_by_so_many_places_at_most(
    candidates: list[str], overstocked: set[str], places: int
) -> None:
    items = rank(
        [(product_id, -float(place)) for place, product_id in enumerate(candidates)],
        Session(),
        sold_out=set(),
        now_ms=NOON_MS,
        policy=RankingPolicy(n_items=5, overstock_places=places),
        overstocked=overstocked,
    )

    assert len(items) == min(5, len(candidates))
    for item in items:
        was = candidates.index(item.product_id) + 1
        assert item.rank >= was - places
        assert (item.rank < was) == item.reason.endswith(PLENTY)
        assert item.product_id in overstocked or item.rank >= was
