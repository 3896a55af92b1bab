from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from stream.bench import direct, inference, latency_report, overload_report
from stream.bench.findings import OURS
from stream.bench.inference import Run
from stream.bench.measuring import Measured
from stream.bench.overload_report import Overload

SVG = "{http://www.w3.org/2000/svg}"


def make_run(pipeline_per_s: int, direct_per_s: float) -> Run:
    measured = Measured(n_answers=pipeline_per_s, n_covered=pipeline_per_s, seconds=1.0)
    return Run(measured, {64: 3, 8: 1}, {2: direct_per_s, 4: direct_per_s / 2}, [1.0])


def make_phase(p50_ms: float = 10, p99_ms: float = 40) -> latency_report.Phase:
    return latency_report.Phase(1_000, 100.0, p50_ms, p99_ms, max_ms=100)


def make_found() -> latency_report.Found:
    found = latency_report.Found(
        broker="tansu", seconds=1, loads=(25, 80), saturated=[90, 100, 400]
    )
    found.single_row_ms += [2.0, 2.0, 50.0]
    for p50_ms in (8, 10, 90):
        found.add(OURS, 25, make_phase(p50_ms))
        found.add(OURS, 80, make_phase(p50_ms * 2))
    return found


def make_memory(steady: float, most: float) -> Overload:
    phases = {
        name: overload_report.Phase(10, 1.0, 0.5, 60.0, 1, 2, 3, resident_mib)
        for name, resident_mib in {"before": steady, "burst": 1.0, "after": 1.0}.items()
    }
    return Overload(phases, recovered_s=3.5, most_resident_mib=most, n_degraded=0, n_repeats=0)


def test_ratio_compares_medians_with_the_better_direct_load() -> None:
    found = [make_run(90, 100.0), make_run(10, 200.0), make_run(95, 90.0)]

    assert inference._ratio(found) == pytest.approx(90 / 100)
    assert found[0].rows_per_request == 50


def test_direct_rate_leaves_out_the_rows_that_its_clock_started_with() -> None:
    rows = np.zeros((10, 2), dtype=np.int64)

    found = direct._found([(0.0, 1.0, rows), (0.5, 3.0, rows), (1.0, 2.0, rows)])

    assert found.rows_per_s == 10
    assert found.request_ms == [1_000, 2_500, 1_000]


def test_least_load_is_held_against_one_row_alone() -> None:
    found = make_found()

    assert found.events_per_s == 100
    assert found.over_single() == {"p50": 5, "p99": 20}
    assert latency_report.report_of(found)["over_single_row"] == {"p50": 5, "p99": 20}


def test_both_percentiles_of_each_contestant_are_drawn() -> None:
    root = ET.fromstring(latency_report.plots(make_found()))  # noqa: S314 - made one line above

    assert len(root.findall(f".//{SVG}polyline")) == 2
    assert len(root.findall(f".//{SVG}circle")) == 12


def test_memory_is_the_most_after_the_burst_began_over_what_was_steady() -> None:
    found = [make_memory(100, 140), make_memory(100, 120), make_memory(100, 190)]

    report = overload_report.report_of(
        found, overload_report.Burst(5, 60), broker="tansu", saturated=[10.0]
    )

    assert report["memory_ratio"] == pytest.approx(1.4)
    assert report["recovered_s"] == 3.5
