"""Readers of demand: which products, which days, and what a file must hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream.errors import Misconfigured
from stream.evaluation.shop import MIN_SELLING_DAYS, TEST_DAYS, chosen, read_shop, shop_of
from tests.unit.evaluation.series_files import line, lines_file, monthly_file
from tests.unit.evaluation.shops import make_shop

N_DAYS = 210
BEFORE = N_DAYS - TEST_DAYS


def test_a_product_is_chosen_by_what_it_sold_before_the_test() -> None:
    enough = [1] * MIN_SELLING_DAYS + [0] * (N_DAYS - MIN_SELLING_DAYS)
    too_few = [0] * (BEFORE - MIN_SELLING_DAYS + 1) + [1] * (N_DAYS - BEFORE + MIN_SELLING_DAYS - 1)

    shop = chosen(make_shop([too_few, enough]))

    assert shop.ids == ("product-1",)
    assert shop.test_from == BEFORE


def test_the_earlier_window_ends_where_the_test_begins() -> None:
    shop = make_shop(np.ones((1, N_DAYS + TEST_DAYS), dtype=int).tolist())

    earlier = shop.earlier()

    assert earlier.units.shape == (1, N_DAYS)
    assert earlier.test_from == shop.test_from - TEST_DAYS


def test_days_on_which_nothing_sells_are_closed(tmp_path: Path) -> None:
    days = [day for day in range(N_DAYS) if day % 7 != 5]

    shop = read_shop(lines_file(tmp_path, [line(day, 2) for day in days]))

    assert shop.name == "lines"
    assert shop.is_open[:7].tolist() == [True] * 5 + [False, True]
    assert shop.units[0, :7].tolist() == [2, 2, 2, 2, 2, 0, 2]
    assert shop.first_weekday == 0


def test_lines_of_a_day_add_up() -> None:
    shop = shop_of("shop", [7, 8, 7], np.array([100, 101, 100]), np.array([1, 2, 3]))

    assert shop.ids == ("7", "8")
    assert shop.units.tolist() == [[4, 0], [0, 2]]


def test_too_few_days_are_refused(tmp_path: Path) -> None:
    path = lines_file(tmp_path, [line(day, 2) for day in range(203)])

    with pytest.raises(Misconfigured, match="at least 204 days, got 203"):
        read_shop(path)


def test_goods_that_hardly_sell_are_refused(tmp_path: Path) -> None:
    path = lines_file(tmp_path, [line(0, 2), line(N_DAYS, 2)])

    with pytest.raises(Misconfigured, match="sold on 60 days"):
        read_shop(path)


def test_columns_that_are_missing_are_named(tmp_path: Path) -> None:
    path = monthly_file(tmp_path, {"a": [1] * 40})

    with pytest.raises(Misconfigured, match=r"invoice, stock_code, .* got part_id"):
        read_shop(path)


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lines.parquet"
    path.write_text("invoice,stock_code\n")

    with pytest.raises(Misconfigured, match="expected a Parquet file"):
        read_shop(path)
