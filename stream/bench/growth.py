"""``storestream bench growth``: what one more visitor costs in CPU, memory and time to recover."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from stream.bench.contestants import ours
from stream.bench.curves import Panel, drawn
from stream.bench.seeding import publish, shelf, stored_sessions
from stream.bench.stage import MeasuredWorker, cpu_s_of, stage, working
from stream.demo.report import machine, write_report
from stream.errors import PartDied
from stream.topics import SESSIONS_CHANGELOG


@dataclass(frozen=True, slots=True)
class Load:
    """What is measured with: sizes to compare, interactions a visitor has, events of a run."""

    visitors: tuple[int, ...]
    n_interactions: int
    n_events: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run with one number of visitors cost.

    Attributes:
        bytes_per_visitor: Resident memory over that of a worker without visitors.
    """

    cpu_us_per_event: float
    bytes_per_visitor: float
    recovery_s: float
    sessions_per_s: float


Costs = Mapping[int, Sequence[Cost]]


def run_bench_growth(*, report: Path | None, load: Load, runs: int) -> int:
    """Run each number of visitors in turn, *runs* times; return 0. Plots go beside the report.

    Raises:
        PartDied: A worker ended, or did other work than it was given.
    """
    console = Console(highlight=False)
    costs: dict[int, list[Cost]] = {n_visitors: [] for n_visitors in load.visitors}
    for number in range(1, runs + 1):
        empty_bytes = _measure_empty()
        for n_visitors, found in costs.items():
            cost = _measure(n_visitors, load, empty_bytes, seed=number)
            found.append(cost)
            console.print(f"run {number} of {runs}, {n_visitors:,} visitors: {_said(cost)}")
    console.print(_table(costs))
    if report is not None:
        write_report(_report(costs, load), report)
        report.with_suffix(".svg").write_text(_plots(costs), encoding="utf-8")
    return 0


def _measure_empty() -> int:
    """Return the memory of a ready worker that has no visitors."""
    with stage() as (settings, folder):
        asyncio.run(publish(settings, shelf(settings.partitions)))
        with working(ours(settings), folder, 1) as (worker,):
            return worker.resident_bytes


def _measure(n_visitors: int, load: Load, empty_bytes: int, *, seed: int) -> Cost:
    """Start a worker on a broker with that many sessions, then give it events of theirs."""
    with stage() as (settings, folder):
        asyncio.run(publish(settings, shelf(settings.partitions)))
        stored = stored_sessions(n_visitors, load.n_interactions, settings.partitions)
        asyncio.run(publish(settings, stored))
        with working(ours(settings), folder, 1) as (worker,):
            n_bytes = worker.resident_bytes - empty_bytes
            recovery_s = _recovery_s(worker, n_visitors)
            cpu_s = cpu_s_of(settings, [worker], load.n_events, n_visitors=n_visitors, seed=seed)
    return Cost(
        cpu_us_per_event=cpu_s / load.n_events * 1e6,
        bytes_per_visitor=n_bytes / n_visitors,
        recovery_s=recovery_s,
        sessions_per_s=n_visitors / recovery_s,
    )


def _recovery_s(worker: MeasuredWorker, n_visitors: int) -> float:
    said = worker.metrics(SESSIONS_CHANGELOG.name)
    n_recovered = said["stream_recovered_records_total"]
    if n_recovered != n_visitors:
        raise PartDied(f"the worker recovered {n_recovered:.0f} of {n_visitors} sessions")
    return said["stream_recovery_seconds"]


def medians(costs: Sequence[Cost]) -> Cost:
    """Return the median of each figure by itself."""
    columns = {name: [asdict(cost)[name] for cost in costs] for name in asdict(costs[0])}
    return Cost(**{name: median(column) for name, column in columns.items()})


def cpu_ratio(costs: Costs) -> float:
    """How many times as much CPU an event takes with the most visitors as with the fewest."""
    fewest, most = medians(costs[min(costs)]), medians(costs[max(costs)])
    return most.cpu_us_per_event / fewest.cpu_us_per_event


def _table(costs: Costs) -> Table:
    headings = ("visitors", "CPU µs/event", "bytes/visitor", "recovery s", "sessions/s")
    table = Table(*headings, title="What growth costs (medians)")
    for n_visitors, found in costs.items():
        table.add_row(f"{n_visitors:,}", *_cells(medians(found)))
    table.add_row("CPU ratio", f"{cpu_ratio(costs):.2f}", "", "", "")
    return table


def _cells(cost: Cost) -> Iterator[str]:
    yield f"{cost.cpu_us_per_event:.1f}"
    yield f"{cost.bytes_per_visitor:,.0f}"
    yield f"{cost.recovery_s:.2f}"
    yield f"{cost.sessions_per_s:,.0f}"


def _said(cost: Cost) -> str:
    cpu, size, seconds, rate = _cells(cost)
    return f"{cpu} µs/event, {size} bytes/visitor, recovered in {seconds} s: {rate} sessions/s"


def _report(costs: Costs, load: Load) -> dict[str, object]:
    return {
        "interactions": load.n_interactions,
        "events": load.n_events,
        "visitors": {
            str(n_visitors): {**_rounded(medians(found)), "runs": [_rounded(run) for run in found]}
            for n_visitors, found in costs.items()
        },
        "cpu_ratio": round(cpu_ratio(costs), 3),
        "machine": machine(),
    }


def _plots(costs: Costs) -> str:
    titles = {
        "cpu_us_per_event": "CPU µs/event, by visitors",
        "bytes_per_visitor": "bytes/visitor, by visitors",
        "sessions_per_s": "sessions/s recovered, by visitors",
    }
    return drawn(
        [
            Panel(
                title,
                {n: [asdict(cost)[name] for cost in found] for n, found in costs.items()},
                {n: asdict(medians(found))[name] for n, found in costs.items()},
            )
            for name, title in titles.items()
        ]
    )


def _rounded(cost: Cost) -> dict[str, object]:
    return {name: round(figure, 3) for name, figure in asdict(cost).items()}
