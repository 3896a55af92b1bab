"""What ``bench overload`` found: each phase, memory against calm, and when answers were fresh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

from rich.table import Table

from stream.demo.report import machine


@dataclass(frozen=True, slots=True)
class Burst:
    """How much comes.

    Attributes:
        times: The saturated rate, for *seconds*.
        calm_share: Of the saturated rate, for *calm_s* before and after.
        fresh_ms: An answer that comes later than that after its event is stale.
    """

    times: float
    seconds: float
    calm_share: float = 0.5
    calm_s: float = 35.0
    fresh_ms: int = 1_000


@dataclass(frozen=True, slots=True)
class Phase:
    """Before the burst, in it or after it, by when events and answers were appended.

    Attributes:
        events_per_s: As it was sent.
        resident_mib: The worker's memory, the median of looks.
    """

    n_events: int
    events_per_s: float
    answers_per_event: float
    rows_per_request: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    resident_mib: float


@dataclass(frozen=True, slots=True)
class Overload:
    """One run; no event was lost, or it would not be here.

    Attributes:
        recovered_s: From the burst's end until the last stale answer.
        most_resident_mib: From the burst's beginning to the end.
        n_repeats: Answers to what was answered before.
    """

    phases: Mapping[str, Phase]
    recovered_s: float
    most_resident_mib: float
    n_degraded: int
    n_repeats: int

    @property
    def memory_ratio(self) -> float:
        """The most memory in or after the burst, over what was steady before it."""
        return self.most_resident_mib / self.phases["before"].resident_mib

    def __str__(self) -> str:
        burst = self.phases["burst"]
        return (
            f"{burst.n_events:,} events at {burst.events_per_s:,.0f}/s, none lost; "
            f"memory {self.memory_ratio:.2f} times, fresh after {self.recovered_s:.1f} s"
        )


def table(found: Sequence[Overload], burst: Burst) -> Table:
    """The report for a terminal: medians over the runs."""
    title = f"{burst.times:g} times the saturated rate for {burst.seconds:g} s (medians)"
    headings = ("", "events/s", "answers/event", "rows/request", "p50 ms", "p99 ms", "MiB")
    shown = Table(*headings, title=title)
    for name in found[0].phases:
        figures = _medians([run.phases[name] for run in found])
        shown.add_row(
            name,
            f"{figures['events_per_s']:,.0f}",
            f"{figures['answers_per_event']:.3f}",
            f"{figures['rows_per_request']:.1f}",
            f"{figures['p50_ms']:,.0f}",
            f"{figures['p99_ms']:,.0f}",
            f"{figures['resident_mib']:.0f}",
        )
    shown.add_row("most memory", f"{median([run.memory_ratio for run in found]):.2f} x")
    shown.add_row("without the model", f"{sum(run.n_degraded for run in found):,}")
    shown.add_row("fresh after", f"{median([run.recovered_s for run in found]):.1f} s")
    return shown


def report_of(
    found: Sequence[Overload], burst: Burst, *, broker: str, saturated: Sequence[float]
) -> dict[str, object]:
    """The JSON report."""
    return {
        "broker": broker,
        "burst": asdict(burst),
        "saturated_events_per_s": [round(rate, 1) for rate in saturated],
        "lost": 0,
        "memory_ratio": round(median([run.memory_ratio for run in found]), 3),
        "recovered_s": round(median([run.recovered_s for run in found]), 2),
        "phases": {name: _medians([run.phases[name] for run in found]) for name in found[0].phases},
        "runs": [{**asdict(run), "memory_ratio": round(run.memory_ratio, 3)} for run in found],
        "machine": machine(),
    }


def _medians(phases: Sequence[Phase]) -> dict[str, float]:
    columns = [asdict(phase) for phase in phases]
    return {name: round(median([each[name] for each in columns]), 3) for name in columns[0]}
