"""What ``bench latency`` found: percentiles by load, for a terminal, as JSON and drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median

from rich.table import Table

from stream.bench.curves import Panel, drawn
from stream.bench.findings import OURS
from stream.demo.report import machine


@dataclass(frozen=True, slots=True)
class Phase:
    """One load of one run.

    Attributes:
        events_per_s: As it was sent.
        p50_ms: From an event's append to its answer's, nearest record timestamps.
    """

    n_events: int
    events_per_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float

    def __str__(self) -> str:
        return (
            f"{self.n_events:,} events at {self.events_per_s:,.0f}/s: "
            f"p50 {self.p50_ms:.0f} ms, p99 {self.p99_ms:.0f} ms, at most {self.max_ms:.0f} ms"
        )


@dataclass(slots=True, kw_only=True)
class Found:
    """Results as they come in.

    Attributes:
        loads: In percent of the saturated rate.
        saturated: Answers/s of each run while more came than could be taken.
        phases: By contestant and load, a phase a run.
        failed: Who did not come through, and why.
    """

    broker: str
    seconds: float
    loads: Sequence[int]
    saturated: Sequence[float] = ()
    single_row_ms: list[float] = field(default_factory=list)
    phases: dict[str, dict[int, list[Phase]]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def events_per_s(self) -> float:
        """The rate that is full load."""
        return median(self.saturated)

    def add(self, name: str, share: int, phase: Phase) -> None:
        self.phases.setdefault(name, {}).setdefault(share, []).append(phase)

    def middle(self, name: str, share: int, figure: str) -> float:
        """Return the median over the runs of ``p50_ms``, ``p99_ms`` or another figure."""
        return float(median([getattr(phase, figure) for phase in self.phases[name][share]]))

    def over_single(self) -> Mapping[str, float]:
        """How many times a request with one row our answer takes at the least load."""
        single_ms = median(self.single_row_ms)
        if min(self.loads) not in self.phases.get(OURS, {}):
            return {}
        return {
            figure: round(self.middle(OURS, min(self.loads), f"{figure}_ms") / single_ms, 2)
            for figure in ("p50", "p99")
        }


def table(found: Found) -> Table:
    """The report for a terminal."""
    title = (
        f"Append to append on {found.broker}; full load is {found.events_per_s:,.0f} events/s, "
        f"one row alone takes {median(found.single_row_ms):.1f} ms"
    )
    shown = Table("", "load", "p50 ms", "p99 ms", "p99 of each run", title=title)
    for name, by_load in found.phases.items():
        for share, phases in by_load.items():
            figures = [f"{found.middle(name, share, of):,.0f}" for of in ("p50_ms", "p99_ms")]
            each = ", ".join(f"{phase.p99_ms:,.0f}" for phase in phases)
            shown.add_row(name, f"{share} %", *figures, each)
    for figure, times in found.over_single().items():
        shown.add_row(f"{figure} over one row", f"{min(found.loads)} %", f"{times:.1f} x")
    return shown


def report_of(found: Found) -> dict[str, object]:
    """The JSON report."""
    return {
        "broker": found.broker,
        "seconds": found.seconds,
        "saturated_events_per_s": round(found.events_per_s, 1),
        "saturated_runs": [round(rate, 1) for rate in found.saturated],
        "single_row_ms": round(median(found.single_row_ms), 3),
        "over_single_row": found.over_single(),
        "contestants": {
            name: {
                str(share): {
                    "p50_ms": found.middle(name, share, "p50_ms"),
                    "p99_ms": found.middle(name, share, "p99_ms"),
                    "runs": [asdict(phase) for phase in phases],
                }
                for share, phases in by_load.items()
            }
            for name, by_load in found.phases.items()
        },
        "failures": found.failed,
        "machine": machine(),
    }


def plots(found: Found) -> str:
    """Return p50 and p99 against load, a panel for each contestant."""
    return drawn(
        [
            Panel(
                f"{name}: {figure} ms, by % of full load",
                {
                    share: [getattr(phase, f"{figure}_ms") for phase in phases]
                    for share, phases in by_load.items()
                },
                {share: found.middle(name, share, f"{figure}_ms") for share in by_load},
            )
            for name, by_load in found.phases.items()
            for figure in ("p50", "p99")
        ]
    )
