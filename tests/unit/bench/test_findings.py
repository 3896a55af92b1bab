from __future__ import annotations

import io

from rich.console import Console

from stream.bench.findings import OURS, Findings, report_of, table
from stream.bench.measuring import Measured

N_EVENTS = 1_000


def make_run(seconds: float = 1.0, *, n_covered: int = N_EVENTS) -> Measured:
    return Measured(n_answers=N_EVENTS, n_covered=n_covered, seconds=seconds)


def make_findings(**runs: list[Measured]) -> Findings:
    found = Findings(n_events=N_EVENTS, broker="tansu", peers=("bytewax", "quix_streams"))
    for name, each in runs.items():
        for run in each:
            found.add(name, run)
    return found


def test_ratio_is_our_median_over_theirs() -> None:
    found = make_findings(
        storestream=[make_run(0.5), make_run(0.1), make_run(2)],
        bytewax=[make_run(1), make_run(4), make_run(0.2)],
    )

    assert found.ratio() == {"bytewax": 2.0, "quix_streams": None}


def test_uncovered_event_fails_its_contestant_and_no_other() -> None:
    found = make_findings(
        storestream=[make_run()], bytewax=[make_run(n_covered=999)], quix_streams=[make_run(2)]
    )

    assert found.failed == {"bytewax": "1,000 answers cover 999 of 1,000 events"}
    assert found.ratio() == {"bytewax": None, "quix_streams": 2.0}


def test_report_has_runs_and_reasons() -> None:
    found = make_findings(storestream=[make_run(0.5), make_run(1)])
    found.skipped["quix_streams"] = "skipped: not here"
    found.failed["bytewax"] = "round 1: it ended"

    report = report_of(found, versions={"bytewax": "0.21.1"}, machine={"cores": 2})

    assert report["contestants"] == {
        OURS: {
            "events_per_s": 1_500.0,
            "runs": [2_000.0, 1_000.0],
            "answers": [1_000, 1_000],
            "covered": [1_000, 1_000],
            "at_first_timestamp": [0, 0],
            "answer_bytes": [0.0, 0.0],
        }
    }
    assert report["ratio"] == {"bytewax": None, "quix_streams": None}
    assert report["skipped"] == {"quix_streams": "skipped: not here"}
    assert report["failures"] == {"bytewax": "round 1: it ended"}
    assert report["machine"] == {"cores": 2}


def test_table_names_who_did_not_come_through() -> None:
    found = make_findings(storestream=[make_run()])
    found.failed["bytewax"] = "round 1: it ended with code [1]:\nmany\nlines"
    console = Console(width=120, file=io.StringIO(), record=True)

    console.print(table(found))

    shown = console.export_text()
    assert "failed: round 1: it ended with code [1]:" in shown
    assert "many" not in shown
