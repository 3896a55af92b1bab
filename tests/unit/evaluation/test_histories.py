from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stream.errors import Misconfigured
from stream.evaluation.histories import padded, read_histories


def written(folder: Path, **columns: list[int]) -> Path:
    path = folder / "histories.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def test_rows_are_visitors_and_hold_products_by_place(tmp_path: Path) -> None:
    path = written(tmp_path, user_id=[7, 3, 7, 3], pos=[1, 0, 0, 1], item_id=[40, 20, 20, 90])

    read = read_histories(path)

    assert read.product_ids == ("20", "40", "90")
    assert [row.items.tolist() for row in read.rows] == [[1, 3], [1, 2]]
    assert read.named(read.rows) == [["20", "90"], ["20", "40"]]
    assert read.n_interactions == 4


def test_a_column_that_is_missing_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, user_id=[1], item_id=[1])

    with pytest.raises(
        Misconfigured, match=r"expected rows of user_id, pos, item_id, got columns user_id, item_id"
    ):
        read_histories(path)


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "histories.parquet"
    path.write_text("user_id,pos,item_id\n")

    with pytest.raises(Misconfigured, match="expected a Parquet file"):
        read_histories(path)


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    pq.write_table(
        pa.table({name: pa.array([], pa.int32()) for name in ("user_id", "pos", "item_id")}), path
    )

    with pytest.raises(Misconfigured, match="got no row"):
        read_histories(path)


def test_padding_is_on_the_left(tmp_path: Path) -> None:
    path = written(tmp_path, user_id=[1, 2, 2], pos=[0, 0, 1], item_id=[5, 5, 6])

    rows = [row.items for row in read_histories(path).rows]
    assert padded(rows).tolist() == [[0, 1], [1, 2]]
    assert padded([]).shape == (0, 0)
