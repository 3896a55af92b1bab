from __future__ import annotations

from itertools import permutations

import pytest
from msgspec.structs import replace

from stream.domain.events import (
    CheckoutStarted,
    Item,
    OrderCancelled,
    OrderCompleted,
    OrderRefunded,
    OrdersEvent,
)
from stream.reporting.claims import Display
from stream.reporting.period import HOUR_MS, Sample
from stream.reporting.purchases import Credit, Purchases
from tests.unit.builders import NOON_MS, make_order
from tests.unit.reporting.facts import make_display

MILK = Item("milk", 4, price=1.5)
CREDITED = Credit("ann", "a", "EUR", 6.0)


def order(
    *items: Item | str, at_ms: int = NOON_MS + 5, order_id: str = "o1", visitor_id: str = "ann"
) -> OrderCompleted:
    made = make_order(
        products=items, occurred_at_ms=at_ms, order_id=order_id, visitor_id=visitor_id
    )
    return replace(made, currency="EUR")


def credited(*events: OrdersEvent, displays: list[Display] | None = None) -> list[Credit]:
    shown = {"ann": [make_display()] if displays is None else displays}
    purchases = Purchases(shown, HOUR_MS, Sample(1_000))
    for event in events:
        purchases.take(event)
    return list(purchases.credits(purchases.displays))


def test_product_that_was_shown_and_bought_is_credited_at_its_price() -> None:
    assert credited(order(MILK, "axe")) == [CREDITED]


@pytest.mark.parametrize(
    ("after_ms", "is_credited"),
    [(-1, False), (0, True), (HOUR_MS, True), (HOUR_MS + 1, False)],
)
def test_purchase_counts_within_the_window_after_it_was_shown(
    after_ms: int, is_credited: bool
) -> None:
    assert bool(credited(order(MILK, at_ms=NOON_MS + after_ms))) == is_credited


def test_last_recommendation_with_the_product_has_the_credit() -> None:
    displays = [
        make_display("c", shown_at_ms=NOON_MS + 3, products=["tea"]),
        make_display("b", shown_at_ms=NOON_MS + 2),
        make_display("a", shown_at_ms=NOON_MS + 1),
        make_display("d", shown_at_ms=NOON_MS + 9),
    ]

    found = credited(order("milk", "tea"), displays=displays)

    assert [credit.variant for credit in found] == ["b", "c"]


def test_purchase_is_credited_among_the_displays_asked_for() -> None:
    early, late = make_display("a"), make_display("b", shown_at_ms=NOON_MS + 2)
    purchases = Purchases({"ann": [late, early]}, HOUR_MS, Sample(1_000))
    purchases.take(order(MILK))

    asked: list[dict[str, list[Display]]] = [
        {"ann": [early, late]},
        {"ann": [early]},
        {"ann": []},
        {"bea": [late]},
    ]
    found = [[credit.variant for credit in purchases.credits(displays)] for displays in asked]

    assert found == [["b"], ["a"], [], []]


def test_orders_of_others_and_checkouts_are_no_purchases() -> None:
    checkout = make_order(kind=CheckoutStarted, occurred_at_ms=NOON_MS + 5)

    assert credited(order(MILK, visitor_id="bea"), checkout) == []


def test_order_that_comes_again_is_bought_once() -> None:
    more = replace(MILK, quantity=9)

    assert credited(order(MILK), order(MILK), order(MILK, order_id="o2")) == [CREDITED] * 2
    assert credited(order(MILK), order(more)) == [CREDITED]


def give_back(kind: type[OrdersEvent], quantity: int, event_id: str = "back") -> OrdersEvent:
    return make_order(
        kind=kind, products=[Item("milk", quantity)], order_id="o1", event_id=event_id
    )


@pytest.mark.parametrize(
    ("events", "left"),
    [
        ([give_back(OrderCancelled, 4)], []),
        ([give_back(OrderCancelled, 9)], []),
        ([give_back(OrderCancelled, 1)], [4.5]),
        ([give_back(OrderCancelled, 1), give_back(OrderCancelled, 1)], [4.5]),
        ([give_back(OrderCancelled, 1), give_back(OrderCancelled, 3, "more")], []),
        ([give_back(OrderRefunded, 1)], [4.5]),
        ([give_back(OrderRefunded, 4)], [0.0]),
        ([give_back(OrderCancelled, 2), give_back(OrderRefunded, 9, "more")], [0.0]),
    ],
)
def test_cancelled_units_were_not_bought_and_refunded_ones_bring_nothing(
    events: list[OrdersEvent], left: list[float]
) -> None:
    for several in permutations([order(MILK), *events]):
        assert [credit.amount for credit in credited(*several)] == left


def test_returns_of_another_order_or_product_change_nothing() -> None:
    other_order = replace(give_back(OrderCancelled, 4), order_id="o2")
    other_product = make_order(kind=OrderCancelled, products=["axe", "tea"], order_id="o1")

    assert credited(order(MILK), other_order, other_product) == [CREDITED]


def test_lines_of_one_product_are_one_purchase_and_without_a_price_have_no_amount() -> None:
    priced = credited(order(MILK, replace(MILK, quantity=1, price=2.0)))
    unpriced = credited(order(MILK, "milk"))

    assert priced == [CREDITED._replace(amount=8.0)]
    assert unpriced == [CREDITED._replace(amount=None)]


def test_more_orders_than_may_be_held_leave_out_visitors_with_all_they_did() -> None:
    visitors = [f"visitor-{n}" for n in range(100)]
    sample = Sample(280)
    purchases = Purchases({visitor: [make_display()] for visitor in visitors}, HOUR_MS, sample)

    for n in range(3):
        for visitor_id in visitors:
            purchases.take(order(MILK, order_id=f"{visitor_id}-{n}", visitor_id=visitor_id))
            purchases.take(replace(give_back(OrderRefunded, 1), visitor_id=visitor_id))

    found = [credit.visitor_id for credit in purchases.credits(purchases.displays)]
    assert sample.one_in == 2
    assert 30 <= len(purchases.displays) <= 62
    assert sorted(found) == sorted([*purchases.displays] * 3)
