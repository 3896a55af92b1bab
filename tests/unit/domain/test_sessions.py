from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.domain.applied import RECENT_IDS, Source
from stream.domain.events import (
    ANSWERED,
    CartViewed,
    CheckoutStarted,
    Item,
    OrderCancelled,
    OrderRefunded,
    ProductAdded,
    ProductClicked,
    ProductListViewed,
    ProductRemoved,
    ProductsSearched,
    ProductViewed,
    RecommendationClicked,
    RecommendationShown,
)
from stream.domain.history import history_of
from stream.domain.sessions import (
    MAX_ITEMS,
    Session,
    SessionEvent,
    advance,
    basket,
    bought_since,
    has_applied,
    is_answered,
    is_resend,
)
from stream.state.sessions import dump, load
from tests.unit.builders import (
    NOON_MS,
    AboutProduct,
    clicks_at,
    deliveries,
    folded,
    make_order,
    make_view,
    orders_at,
)

Fact = tuple[SessionEvent, Source]


# --- Redelivery and resending ------------------------------------------------------------------


def test_redelivered_event_changes_nothing() -> None:
    once = advance(Session(), make_view(), clicks_at(3))

    twice = advance(once, make_view(), clicks_at(3))

    assert twice is once


def test_earlier_offset_changes_nothing_whatever_it_says() -> None:
    once = advance(Session(), make_view(), clicks_at(3))

    again = advance(once, make_view(event_id="unseen"), clicks_at(2))

    assert again is once
    assert has_applied(again, clicks_at(2))
    assert not has_applied(again, clicks_at(4))


def test_recreated_topic_starts_low_again() -> None:
    session = advance(Session(), make_view(8), clicks_at(8, epoch=1))

    after = advance(session, make_view(0), clicks_at(0, epoch=2))

    assert len(after.trail) == 2
    assert has_applied(after, clicks_at(0, epoch=2))
    assert not has_applied(after, clicks_at(8, epoch=1))


def test_partitions_and_topics_are_counted_apart() -> None:
    session = advance(Session(), make_view(8), clicks_at(8))

    assert not has_applied(session, orders_at(8))
    assert not has_applied(session, clicks_at(8, partition=1))


def test_resent_event_is_folded_once() -> None:
    once = advance(Session(), make_view(event_id="e"), clicks_at(0))

    again = advance(once, make_view(event_id="e"), clicks_at(1))

    assert again.trail == once.trail
    assert has_applied(again, clicks_at(1))


def test_resent_order_is_known_by_its_order_id() -> None:
    once = advance(Session(), make_order(event_id="a", order_id="o"), orders_at(0))

    again = advance(once, make_order(event_id="b", order_id="o"), orders_at(1))

    assert again.trail == once.trail
    assert is_resend(again, make_order(event_id="b", order_id="o"), orders_at(1))


def test_partial_refunds_of_one_order_all_count() -> None:
    first = make_order(kind=OrderRefunded, order_id="o", event_id="a", products=["milk"])
    second = make_order(kind=OrderRefunded, order_id="o", event_id="b", products=["bread"])

    session = folded([(first, orders_at(0)), (second, orders_at(1))])

    assert [act.product_id for act in session.trail] == ["milk", "bread"]


def test_redelivered_record_is_not_taken_for_a_resent_one() -> None:
    order = make_order(order_id="o")
    session = folded([(order, orders_at(0)), (order, orders_at(1))])

    assert not is_resend(session, order, orders_at(0))
    assert is_resend(session, order, orders_at(1))


def test_first_sight_is_no_resend_before_and_after_folding() -> None:
    order = make_order(order_id="o")

    assert not is_resend(Session(), order, orders_at(0))
    assert not is_resend(folded([(order, orders_at(0))]), order, orders_at(0))


def test_event_of_the_former_topic_is_a_resend_in_its_successor() -> None:
    order = make_order(order_id="o")
    session = folded([(order, orders_at(0, epoch=1)), (order, orders_at(0, epoch=2))])

    assert is_resend(session, order, orders_at(0, epoch=2))
    assert len(session.trail) == 1


def test_ids_are_remembered_within_a_bound() -> None:
    views = [(make_view(i), clicks_at(i)) for i in range(RECENT_IDS + 1)]
    session = folded(views)

    assert len(session.applied[0].recent_ids) == RECENT_IDS * 8
    assert is_resend(session, make_view(1), clicks_at(900))
    assert not is_resend(session, make_view(0), clicks_at(900))


# --- Order -------------------------------------------------------------------------------------


def test_late_event_takes_its_place() -> None:
    session = folded(
        [
            (make_view(product_id="late comes", occurred_at_ms=30), clicks_at(0)),
            (make_view(1, product_id="first", occurred_at_ms=10), clicks_at(1)),
        ]
    )

    assert history_of(session).products == ["first", "late comes"]
    assert session.updated_at_ms == 30


def test_only_the_latest_interactions_are_kept() -> None:
    session = folded(
        [(make_view(i, product_id=f"p{i}"), clicks_at(i)) for i in range(MAX_ITEMS + 7)]
    )

    assert history_of(session).products == [f"p{i}" for i in range(7, MAX_ITEMS + 7)]


def test_event_older_than_all_that_is_kept_leaves_no_interaction() -> None:
    full = folded([(make_view(i), clicks_at(i)) for i in range(MAX_ITEMS)])

    after = advance(full, make_view(99, occurred_at_ms=5), clicks_at(MAX_ITEMS))

    assert after.trail == full.trail


def test_huge_order_is_bounded() -> None:
    order = make_order(products=[f"p{i}" for i in range(500)])

    session = advance(Session(), order, orders_at(0))

    assert len(session.trail) == MAX_ITEMS


PRODUCTS = st.sampled_from(["milk", "bread", "eggs", "salt"])
TIMES = st.integers(0, 20).map(lambda n: NOON_MS + n)
IDS = st.sampled_from([f"id{i}" for i in range(12)])


KINDS: st.SearchStrategy[type[AboutProduct]] = st.sampled_from(
    [ProductViewed, ProductClicked, ProductAdded, ProductRemoved]
)
CLICKS = st.lists(st.tuples(KINDS, PRODUCTS, TIMES, IDS), max_size=12)
ORDERS = st.lists(st.tuples(st.lists(PRODUCTS, min_size=1, max_size=4), TIMES, IDS), max_size=12)


def clicks_of(drawn: Sequence[tuple[type[AboutProduct], str, int, str]]) -> list[Fact]:
    return [
        (
            make_view(kind=kind, product_id=product_id, occurred_at_ms=at_ms, event_id=event_id),
            clicks_at(offset),
        )
        for offset, (kind, product_id, at_ms, event_id) in enumerate(drawn)
    ]


def orders_of(drawn: Sequence[tuple[list[str], int, str]]) -> list[Fact]:
    return [
        (make_order(products=products, occurred_at_ms=at_ms, order_id=id_), orders_at(offset))
        for offset, (products, at_ms, id_) in enumerate(drawn)
    ]


CLICKSTREAMS = CLICKS.map(clicks_of)
ORDER_STREAMS = ORDERS.map(orders_of)


@given(st.randoms(use_true_random=False), CLICKSTREAMS, ORDER_STREAMS)
def test_any_interleaving_and_repeat_folds_to_the_same_session(
    chance: Random, clicks: list[Fact], orders: list[Fact]
) -> None:
    delivered = deliveries(chance, clicks, orders)

    assert folded(delivered) == folded([*clicks, *orders])


@given(st.randoms(use_true_random=False), CLICKSTREAMS, ORDER_STREAMS)
def test_folding_a_batch_is_folding_one_by_one(
    chance: Random, clicks: list[Fact], orders: list[Fact]
) -> None:
    delivered = deliveries(chance, clicks, orders)
    cut = chance.randint(0, len(delivered))

    stored = dump(folded(delivered[:cut]))

    assert folded(delivered[cut:], load(stored)) == folded(delivered)


@given(CLICKSTREAMS, ORDER_STREAMS)
def test_session_is_sorted_and_bounded(clicks: list[Fact], orders: list[Fact]) -> None:
    session = folded([*orders, *clicks])

    assert list(session.trail) == sorted(session.trail)
    assert len(session.trail) <= MAX_ITEMS


# --- What becomes an interaction, and what is read from it -------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        ProductsSearched(event_id="e", occurred_at_ms=9, visitor_id="ann", query="milk"),
        ProductListViewed(event_id="e", occurred_at_ms=9, visitor_id="ann", products=(Item("p"),)),
        CartViewed(event_id="e", occurred_at_ms=9, visitor_id="ann", products=(Item("p"),)),
        RecommendationShown(
            event_id="e", occurred_at_ms=9, visitor_id="ann", recommendation_id="r"
        ),
    ],
)
def test_list_of_products_not_acted_on_leaves_only_its_time(event: SessionEvent) -> None:
    session = advance(Session(), event, clicks_at(0))

    assert not session.trail
    assert session.updated_at_ms == 9


def test_clicked_recommendation_is_an_interaction() -> None:
    event = RecommendationClicked(
        event_id="e", occurred_at_ms=9, visitor_id="ann", recommendation_id="r", product_id="milk"
    )

    assert history_of(advance(Session(), event, clicks_at(0))).products == ["milk"]


def test_run_of_acts_on_one_product_is_read_once() -> None:
    session = folded(
        [
            (make_view(0, product_id="milk"), clicks_at(0)),
            (make_view(1, product_id="milk", kind=ProductAdded), clicks_at(1)),
            (make_view(2, product_id="bread"), clicks_at(2)),
            (make_view(3, product_id="milk"), clicks_at(3)),
        ]
    )

    assert history_of(session).products == ["milk", "bread", "milk"]


def test_basket_holds_what_was_added_and_not_removed() -> None:
    session = folded(
        [
            (make_view(0, product_id="milk", kind=ProductAdded), clicks_at(0)),
            (make_view(1, product_id="bread", kind=ProductAdded, quantity=2), clicks_at(1)),
            (make_view(2, product_id="bread", kind=ProductRemoved), clicks_at(2)),
            (make_view(3, product_id="eggs", kind=ProductAdded), clicks_at(3)),
            (make_view(4, product_id="eggs", kind=ProductRemoved), clicks_at(4)),
        ]
    )

    assert basket(session) == {"milk", "bread"}


def test_order_empties_the_basket_of_what_it_bought() -> None:
    session = folded(
        [
            (make_view(0, product_id="milk", kind=ProductAdded), clicks_at(0)),
            (make_view(1, product_id="eggs", kind=ProductAdded), clicks_at(1)),
            (make_order(2, products=["milk"]), orders_at(0)),
        ]
    )

    assert basket(session) == {"eggs"}


def test_product_added_again_after_the_order_is_in_the_basket_even_if_heard_of_first() -> None:
    session = folded(
        [
            (make_view(5, product_id="milk", kind=ProductAdded), clicks_at(0)),
            (make_order(2, products=["milk"]), orders_at(0)),
        ]
    )

    assert basket(session) == {"milk"}


def test_checkout_says_what_is_in_the_basket() -> None:
    session = advance(Session(), make_order(kind=CheckoutStarted, products=["milk"]), orders_at(0))

    assert basket(session) == {"milk"}
    assert history_of(session).products == []


def test_cancelled_order_still_counts_as_bought() -> None:
    session = folded(
        [
            (make_order(0, products=["milk"]), orders_at(0)),
            (make_order(1, products=["milk"], kind=OrderCancelled), orders_at(1)),
        ]
    )

    assert bought_since(session, NOON_MS) == {"milk"}
    assert bought_since(session, NOON_MS + 1) == frozenset()


def test_answered_are_exactly_the_events_stated() -> None:
    assert is_answered(make_view())
    assert is_answered(make_order())
    assert not is_answered(
        ProductsSearched(event_id="e", occurred_at_ms=9, visitor_id="ann", query="q")
    )
    assert len(ANSWERED) == 9
