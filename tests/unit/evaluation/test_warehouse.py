"""A warehouse of one shelf, by hand."""

from __future__ import annotations

from stream.evaluation.warehouse import replay
from tests.unit.evaluation.shops import Told, make_shop


def test_an_order_is_on_the_shelf_after_as_many_full_days_as_the_lead_time() -> None:
    shop = make_shop([[1, 0, 0, 0, 0, 0]])

    replayed = replay(shop, Told({1: 5}), 2, first=1)

    assert replayed.arrived.tolist() == [[0, 0, 0, 5, 0]]
    assert replayed.on_hand.tolist() == [[3, 3, 3, 8, 8]]


def test_what_is_wanted_beyond_the_shelf_is_lost_and_never_seen() -> None:
    shop = make_shop([[1, 1, 3, 2, 2]])
    policy = Told({1: 1})

    replayed = replay(shop, policy, 1, first=1)

    assert replayed.lost.tolist() == [[0, 2, 1, 2]]
    assert replayed.on_hand.tolist() == [[1, 0, 0, 0]]
    assert policy.seen[-1].sold.tolist() == [[1, 1, 1, 1, 0]]
    assert policy.seen[-1].ran_out.tolist() == [[False, False, True, True, True]]


def test_what_is_on_the_way_is_seen_until_it_arrives() -> None:
    policy = Told({1: 4})

    replay(make_shop([[0, 0, 0, 0, 0]]), policy, 2, first=1)

    assert [seen.inbound.tolist() for seen in policy.seen] == [[0], [4], [4], [0]]
    assert [seen.on_hand.tolist() for seen in policy.seen] == [[0], [0], [0], [4]]


def test_on_a_closed_day_nobody_orders_but_deliveries_come() -> None:
    shop = make_shop([[1, 0, 0, 0, 1]], closed=[3])
    policy = Told({1: 2, 3: 9})

    replayed = replay(shop, policy, 1, first=1)

    assert [seen.today for seen in policy.seen] == [1, 2, 4]
    assert replayed.ordered.tolist() == [[2, 0, 0, 0]]
    assert replayed.arrived.tolist() == [[0, 0, 2, 0]]


def test_shelves_open_with_what_sold_of_late_over_lead_time_and_review() -> None:
    shop = make_shop([[9] * 10 + [1] * 30 + [0], [0] * 39 + [1, 0]])

    replayed = replay(shop, Told({}), 3, first=40)

    assert replayed.on_hand[:, 0].tolist() == [4, 1]


def test_stock_is_the_mean_over_open_days() -> None:
    shop = make_shop([[1, 0, 1, 0]], closed=[1])

    assert replay(shop, Told({}), 1, first=1).mean_stock == 1.0
    assert replay(shop, Told({}), 1, first=1).last(2).mean_stock == 1.0
