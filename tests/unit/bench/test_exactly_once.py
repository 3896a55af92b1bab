"""What the cost of transactions is said to be."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from stream.bench.contestants import EXACTLY_ONCE
from stream.bench.exactly_once import Found, Load, report_of, run_bench_exactly_once, table
from stream.bench.findings import OURS, Findings
from stream.bench.latency_report import Phase
from stream.bench.measuring import Measured
from stream.errors import Misconfigured

LOAD = Load(events=1000, events_per_s=100, seconds=5)


@pytest.fixture
def found() -> Found:
    found = Found(Findings(n_events=1000, broker="kafka", peers=(EXACTLY_ONCE,)))
    for name, seconds, p50_ms in ((OURS, 1.0, 20.0), (EXACTLY_ONCE, 2.0, 50.0)):
        for wobble in (0, 1, 5):
            found.throughput.add(name, Measured(1000, 1000, seconds + wobble))
            found.phases.setdefault(name, []).append(Phase(500, 100, p50_ms + wobble, 99, 120))
    return found


def test_report_has_the_ratio_of_medians_and_both_latencies(found: Found) -> None:
    report = report_of(found, LOAD)

    assert report["ratio"] == {EXACTLY_ONCE: 1.5}
    assert report["latency"] == {
        OURS: {"p50_ms": 21.0, "p99_ms": 99.0},
        EXACTLY_ONCE: {"p50_ms": 51.0, "p99_ms": 99.0},
    }


def test_table_says_both_and_the_ratio(found: Found) -> None:
    out = StringIO()

    Console(file=out, width=100).print(table(found))

    assert all(each in out.getvalue() for each in (OURS, EXACTLY_ONCE, "1.50", "51"))


def test_broker_without_transactions_is_refused() -> None:
    with pytest.raises(Misconfigured, match="no transactions"):
        run_bench_exactly_once(report=None, broker="tansu", runs=1, load=LOAD)
