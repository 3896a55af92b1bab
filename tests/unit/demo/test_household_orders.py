from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from stream.demo.household_orders import DAY_MS, Purchases, start_of


def test_day_begins_at_midnight_utc() -> None:
    assert start_of(date(1970, 1, 2)) == DAY_MS


def test_lines_between_two_days_are_those_of_the_first_only(
    purchases: Purchases, monday: date
) -> None:
    lines = purchases.between(monday, monday + timedelta(days=1))

    assert set(lines.days().tolist()) == {start_of(monday) // DAY_MS}


def test_baskets_keep_every_line_in_order_of_time(purchases: Purchases) -> None:
    baskets = list(purchases.baskets())

    assert sum(len(basket.lines) for basket in baskets) == len(purchases)
    assert [basket.paid_at_ms for basket in baskets] == sorted(b.paid_at_ms for b in baskets)
    assert len({basket.basket_id for basket in baskets}) == len(baskets)


def test_no_lines_make_no_baskets(purchases: Purchases, monday: date) -> None:
    assert list(purchases.between(monday, monday).baskets()) == []


def test_lines_of_some_products_are_theirs_only(purchases: Purchases) -> None:
    some = np.array([1, 5], dtype=np.int32)

    assert set(purchases.of_products(some).product_id.tolist()) == {1, 5}
