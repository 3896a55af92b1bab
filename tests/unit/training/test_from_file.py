from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stream.domain.trail import Kind
from stream.errors import Misconfigured
from stream.training.from_file import read_file


def written(folder: Path, **columns: list[Any]) -> Path:
    needed = {"visitor_id": ["b", "a"], "product_id": [7, 8], "occurred_at_ms": [20, 10]}
    path = folder / "acts.parquet"
    kept = {name: column for name, column in {**needed, **columns}.items() if column}
    pq.write_table(pa.table(kept), path)
    return path


def test_acts_are_read_in_order_of_time_and_are_purchases_where_nothing_else_is_said(
    tmp_path: Path,
) -> None:
    deeds = read_file(written(tmp_path))

    assert deeds.visitors.tolist() == ["a", "b"]
    assert deeds.products.tolist() == ["8", "7"]
    assert deeds.at_ms.tolist() == [10, 20]
    assert deeds.kinds.tolist() == [Kind.PURCHASE] * 2
    assert deeds.quantities.tolist() == [1, 1]


def test_kinds_and_quantities_are_read_where_they_are_known(tmp_path: Path) -> None:
    deeds = read_file(written(tmp_path, kind=["add", "view"], quantity=[3, 1]))

    assert deeds.kinds.tolist() == [Kind.VIEW, Kind.ADD]
    assert deeds.quantities.tolist() == [1, 3]


def test_prices_may_be_unknown_in_a_file_or_in_a_row(tmp_path: Path) -> None:
    assert np.isnan(read_file(written(tmp_path)).prices).all()

    priced = read_file(written(tmp_path, price=[None, 2.5]))

    assert priced.prices[0] == 2.5
    assert np.isnan(priced.prices[1])


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"visitor_id": []}, "expected columns visitor_id, .* got product_id, occurred_at_ms"),
        (
            {"kind": ["view", "wished"]},
            "expected a kind of view, click, add, purchase, cancel, got 'wished'",
        ),
        ({"price": [1.0, -0.5]}, r"expected prices from 0, got -0\.5"),
        ({"price": ["dear", "cheap"]}, "expected numbers in price"),
        ({"quantity": [1, 0]}, "expected quantities from 1, got 0"),
        ({"product_id": [1, None]}, "expected a product_id in each row, got 1 without"),
        ({"occurred_at_ms": ["now", "then"]}, "expected whole numbers in occurred_at_ms"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, columns: dict[str, list[Any]], told: str) -> None:
    with pytest.raises(Misconfigured, match=told):
        read_file(written(tmp_path, **columns))


def test_a_file_that_is_no_parquet_or_holds_nothing_is_refused(tmp_path: Path) -> None:
    text, empty = tmp_path / "acts.csv", tmp_path / "empty.parquet"
    text.write_text("visitor_id,product_id\n")
    columns = {
        name: pa.array([], pa.int64()) for name in ("visitor_id", "product_id", "occurred_at_ms")
    }
    pq.write_table(pa.table(columns), empty)

    with pytest.raises(Misconfigured, match="expected a Parquet file"):
        read_file(text)
    with pytest.raises(Misconfigured, match="expected a row, got none"):
        read_file(empty)
