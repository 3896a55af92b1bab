"""What a comparison found out: medians, ratios, and who did not come through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from rich.table import Table
from rich.text import Text

from stream.bench.measuring import Measured

OURS = "storestream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Results as they come in.

    Attributes:
        n_events: Events of a run.
        peers: Names of those we are compared with, in order.
        skipped: Who cannot run here, and why.
        failed: Who did not answer every event exactly once, and why; who is in it runs no more.
    """

    n_events: int
    broker: str
    peers: tuple[str, ...]
    results: dict[str, list[Measured]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, measured: Measured) -> None:
        """Take one run; answers that do not cover each event once are a failure."""
        self.results.setdefault(name, []).append(measured)
        if not measured.n_answers == measured.n_covered == self.n_events:
            self.failed[name] = (
                f"{measured.n_answers:,} answers cover {measured.n_covered:,} "
                f"of {self.n_events:,} events"
            )

    def events_per_s(self, name: str) -> float | None:
        """The median over the runs; None without a run, or when one of them failed."""
        runs = self.results.get(name)
        return median(rates(runs)) if runs and name not in self.failed else None

    def ratio(self) -> dict[str, float | None]:
        """How many times as fast as each peer we are; None where there is no comparison."""
        ours = self.events_per_s(OURS)
        theirs = {name: self.events_per_s(name) for name in self.peers}
        return {
            name: round(ours / rate, 2) if ours and rate else None for name, rate in theirs.items()
        }


def rates(runs: Sequence[Measured]) -> list[float]:
    """Events a second of each run."""
    return [round(run.events_per_s, 1) for run in runs]


def report_of(
    found: Findings, *, versions: Mapping[str, str], machine: Mapping[str, object]
) -> dict[str, object]:
    """The JSON report.

    Args:
        versions: Of the packages that the peers run on.
    """
    return {
        "events": found.n_events,
        "broker": found.broker,
        "contestants": {
            name: {
                "events_per_s": found.events_per_s(name),
                "runs": rates(runs),
                "answers": [run.n_answers for run in runs],
                "covered": [run.n_covered for run in runs],
                "at_first_timestamp": [run.n_first for run in runs],
                "answer_bytes": [round(run.answer_bytes, 1) for run in runs],
            }
            for name, runs in found.results.items()
        },
        "ratio": found.ratio(),
        "skipped": found.skipped,
        "failures": found.failed,
        "versions": dict(versions),
        "machine": dict(machine),
    }


def table(found: Findings) -> Table:
    """The report for a terminal."""
    shown = Table(title=f"No inference, one answer an event, on {found.broker}")
    for column in ("", "events/s (median)", "ours is", "each run"):
        shown.add_column(column)
    ratio = found.ratio()
    for name in (OURS, *found.peers):
        rate, times = found.events_per_s(name), ratio.get(name)
        each = ", ".join(f"{one:,.0f}" for one in rates(found.results.get(name, [])))
        shown.add_row(
            name,
            "-" if rate is None else f"{rate:,.0f}",
            "" if times is None else f"{times:,.2f} x",
            Text(found.skipped.get(name) or _first_line(found.failed.get(name)) or each),
        )
    return shown


def _first_line(reason: str | None) -> str | None:
    return None if reason is None else f"failed: {reason.splitlines()[0]}"
