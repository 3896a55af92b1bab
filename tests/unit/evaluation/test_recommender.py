"""The command's work, on visitors who walk the shelves: what comes next can be learnt."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stream.evaluation.recommender import run_evaluate_recommender
from stream.evaluation.report import Asked

N_PRODUCTS = 80
N_VISITORS = 200
LENGTH = 12


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    draw = np.random.default_rng(5)
    starts = draw.integers(0, N_PRODUCTS, N_VISITORS)
    items = (starts[:, None] + np.arange(LENGTH)) % N_PRODUCTS
    path = tmp_path / "walks.parquet"
    columns = {
        "user_id": np.repeat(np.arange(N_VISITORS), LENGTH),
        "pos": np.tile(np.arange(LENGTH), N_VISITORS),
        "item_id": items.ravel(),
    }
    pq.write_table(pa.table(columns), path)
    return path


def test_ours_is_reported_on_top_beside_honest_baselines(dataset: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"

    code = run_evaluate_recommender(
        Asked(dataset, "leave-one-out", seed=1, minutes=0.1), report=report
    )

    told = json.loads(report.read_text())
    assert code == 0
    assert [*told["rankers"]] == ["storestream", "vmis-knn", "popularity"]
    assert told["hr@10"] == told["rankers"]["storestream"]["hr@10"] > 0.9
    assert told["ndcg@10"] > 5 * told["rankers"]["popularity"]["ndcg@10"]
    assert told["rankers"]["vmis-knn"]["hr@10"] > 0.9
    assert told["data"]["interactions"] == N_VISITORS * LENGTH


def test_ours_is_compared_with_itself_without_each_part_where_asked(
    dataset: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    asked = Asked(dataset, "leave-one-out", seed=1, minutes=0.02, ablations=True)

    run_evaluate_recommender(asked, report=report)

    told = json.loads(report.read_text())
    assert {"without kinds", "without neighbours", "line by line"} < told["rankers"].keys()
    assert told["hr@10"] == told["rankers"]["storestream"]["hr@10"]
    ours, less = (
        told["rankers"][name]["ndcg@10"] for name in ("storestream", "without neighbours")
    )
    assert less < ours
