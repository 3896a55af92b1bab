"""``storestream bench inference --device cpu``, with the real Triton."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream.bench.serving.run import Asked, run_bench_serving

pytestmark = [pytest.mark.triton, pytest.mark.slow]


def test_triton_answers_as_the_model_does_and_both_rates_are_told(tmp_path: Path) -> None:
    asked = Asked("cpu", items=[300], rows=[1, 300], runs=1, seconds=0.2, n_in_flight=2)
    report = tmp_path / "report.json"

    run_bench_serving(report=report, asked=asked)

    told = json.loads(report.read_text("utf-8"))
    [catalogue] = told["catalogues"]
    assert catalogue["overlap_with_full_precision"] == 1.0
    assert [point["rows"] for point in catalogue["points"]] == [1, 300]
    for point in catalogue["points"]:
        assert min(point["rows_per_s"], point["bare_rows_per_s"], point["untuned_rows_per_s"]) > 0
        assert 0 < point["p50_ms"] <= point["p99_ms"]
