"""``storestream bench inference --device cpu``, with the real Triton."""

from __future__ import annotations

import json
import os
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


def test_a_run_that_is_cut_off_keeps_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8))
    no_products = 0
    asked = Asked(
        "cpu",
        items=[300, no_products],
        rows=[8],
        runs=1,
        seconds=0.1,
        n_in_flight=3,
        n_instances=2,
    )
    report = tmp_path / "report.json"

    with pytest.raises(RuntimeError, match="random_ expects"):
        run_bench_serving(report=report, asked=asked)

    [catalogue] = json.loads(report.read_text("utf-8"))["catalogues"]
    [run] = catalogue["points"][0]["runs"]
    assert catalogue["items"] == 300
    assert 0 < run["p50_ms"] <= run["p99_ms"]
