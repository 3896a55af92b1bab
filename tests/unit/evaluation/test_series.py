"""Readers: what is demand, what is not, and what a file must hold."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from stream.errors import Misconfigured
from stream.evaluation.series import LINES, read_series, sales
from tests.unit.evaluation.series_files import line, lines_file, monthly_file

MONTHS = 40


def test_a_part_with_an_unknown_month_is_left_out(tmp_path: Path) -> None:
    known: list[float | None] = [*range(MONTHS)]
    path = monthly_file(tmp_path, {"b": known, "a": [None, *known[1:]]}, first="1998-03")

    series = read_series(path)

    assert series.ids == ("b",)
    assert series.units.tolist() == [known]
    assert (series.steps.first_phase, series.steps.season, series.steps.horizon) == (2, 12, 12)
    assert series.actual.tolist() == [known[-12:]]
    assert series.known.tolist() == [known[:-12]]


def test_an_earlier_window_ends_where_the_later_one_is_held_out(tmp_path: Path) -> None:
    series = read_series(monthly_file(tmp_path, {"a": [*range(MONTHS)]}))

    assert series.earlier().units.tolist() == series.known.tolist()
    assert series.earlier(2).units.shape == (1, MONTHS - 24)


def test_units_below_zero_are_refused(tmp_path: Path) -> None:
    path = monthly_file(tmp_path, {"a": [-1, *range(MONTHS - 1)]})

    with pytest.raises(Misconfigured, match="expected units sold, got -1"):
        read_series(path)


def test_too_few_months_are_refused(tmp_path: Path) -> None:
    path = monthly_file(tmp_path, {"a": [1] * 35})

    with pytest.raises(Misconfigured, match="at least 36 months, got 35"):
        read_series(path)


def test_a_month_that_is_missing_is_refused(tmp_path: Path) -> None:
    path = monthly_file(tmp_path, {"a": [1] * MONTHS})
    rows = pd.read_parquet(path)
    rows[rows["month"] != "1999-01"].to_parquet(path)

    with pytest.raises(Misconfigured, match="every month from 1998-01 to 2001-04"):
        read_series(path)


def test_a_month_that_comes_twice_is_refused(tmp_path: Path) -> None:
    path = monthly_file(tmp_path, {"a": [1] * MONTHS})
    rows = pd.read_parquet(path)
    pd.concat([rows, rows[:1]]).to_parquet(path)

    with pytest.raises(Misconfigured, match="one row a part and month"):
        read_series(path)


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "parts.parquet"
    path.write_text("part_id,month,qty\n")

    with pytest.raises(Misconfigured, match="expected a Parquet file"):
        read_series(path)


def test_columns_of_neither_kind_are_named(tmp_path: Path) -> None:
    path = tmp_path / "parts.parquet"
    pd.DataFrame({"part_id": ["a"], "qty": [1]}).to_parquet(path)

    with pytest.raises(Misconfigured, match=r"part_id, month, qty, or .* got part_id, qty"):
        read_series(path)


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    path = monthly_file(tmp_path, {"a": [1] * MONTHS})
    pd.read_parquet(path)[:0].to_parquet(path)

    with pytest.raises(Misconfigured, match="expected rows, got none"):
        read_series(path)


def sold(*lines: dict[str, object]) -> list[int]:
    counted = sales(pd.DataFrame([*lines], columns=[*LINES]))
    return [int(units) for units in counted["quantity"].tolist()]


def test_a_return_on_the_day_of_the_sale_takes_it_back() -> None:
    assert sold(line(0, 80_000), line(0, -80_000, invoice="C1")) == []
    assert sold(line(0, 6), line(0, -2, invoice="C1")) == [4]


def test_a_later_return_leaves_what_was_wanted() -> None:
    assert sold(line(0, 6), line(1, -6, invoice="C1")) == [6]


def test_a_return_takes_back_no_other_customer_s_order() -> None:
    assert sold(line(0, 6), line(0, -6, invoice="C1", customer_id=1)) == [6]


@pytest.mark.parametrize(
    "other",
    [
        {"quantity": -9},
        {"price": 0.0},
        {"stock_code": "POST"},
    ],
)
def test_write_offs_gifts_and_fees_are_no_demand(other: dict[str, object]) -> None:
    assert sold(line(0, 6), {**line(0, 9), **other}) == [6]


def test_closed_days_and_days_before_the_first_sale_are_unknown(tmp_path: Path) -> None:
    days = [day for day in range(140) if day % 7 != 5]
    lines = [line(day, 2) for day in days]
    lines += [line(day, 3, stock_code="22423") for day in days[20:]]
    lines += [line(days[-1], 1, stock_code="47566")]

    series = read_series(lines_file(tmp_path, lines))

    assert series.ids == ("22423", "85123A")
    assert series.units[1, :7].tolist() == [2, 2, 2, 2, 2, -1, 2]
    assert series.units[0, :24].tolist() == [-1] * 23 + [3]
    assert (series.steps.name, series.steps.first_phase) == ("day", 0)
    assert (series.steps.season, series.steps.horizon) == (7, 28)


def test_too_few_days_are_refused(tmp_path: Path) -> None:
    path = lines_file(tmp_path, [line(day, 2) for day in range(139)])

    with pytest.raises(Misconfigured, match="at least 140 days, got 139"):
        read_series(path)


def test_goods_that_hardly_sell_are_refused(tmp_path: Path) -> None:
    path = lines_file(tmp_path, [line(0, 2), line(200, 2)])

    with pytest.raises(Misconfigured, match="a product sold on 30 days, got none"):
        read_series(path)
