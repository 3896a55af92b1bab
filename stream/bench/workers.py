"""``storestream bench workers``: whether more workers make an event dearer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from stream.bench.contestants import ours
from stream.bench.seeding import N_VISITORS, publish, shelf
from stream.bench.stage import (
    MeasuredWorker,
    cpu_s_of,
    let_pass,
    record_bytes,
    stage,
    working,
)
from stream.demo.report import machine, write_report
from stream.topics import EVENTS, RECOMMENDATIONS, SESSIONS_CHANGELOG

_IDLE_S = 5.0


@dataclass(frozen=True, slots=True)
class Shared:
    """What one run cost, over all workers.

    Attributes:
        idle_share: Of a core, what the workers together take while nothing happens.
        record_bytes: Key and value of a record, by topic.
    """

    cpu_us_per_event: float
    idle_share: float
    record_bytes: Mapping[str, float]


Found = Mapping[int, Sequence[Shared]]


def run_bench_workers(
    *, report: Path | None, workers: Sequence[int], events: int, runs: int
) -> int:
    """Run each number of workers in turn, *runs* times; return 0.

    Raises:
        PartDied: A worker ended, or was too slow to wait for.
    """
    console = Console(highlight=False)
    found: dict[int, list[Shared]] = {n_workers: [] for n_workers in workers}
    for number in range(1, runs + 1):
        for n_workers, shared in found.items():
            shared.append(_measure(n_workers, events, seed=number))
            console.print(f"run {number} of {runs}, workers {n_workers}: {_said(shared[-1])}")
    console.print(_table(found))
    if report is not None:
        write_report(_report(found, events), report)
    return 0


def _measure(n_workers: int, n_events: int, *, seed: int) -> Shared:
    with stage() as (settings, folder):
        asyncio.run(publish(settings, shelf(settings.partitions)))
        with working(ours(settings), folder, n_workers) as workers:
            idle_share = _idle_share(workers)
            cpu_s = cpu_s_of(settings, workers, n_events, n_visitors=N_VISITORS, seed=seed)
        topics = EVENTS.name, SESSIONS_CHANGELOG.name, RECOMMENDATIONS.name
        sizes = {topic: round(record_bytes(settings, topic), 1) for topic in topics}
    return Shared(cpu_s / n_events * 1e6, idle_share, sizes)


def _idle_share(workers: Sequence[MeasuredWorker]) -> float:
    before_s, started = _total(workers), time.monotonic()
    let_pass(_IDLE_S, workers)
    return (_total(workers) - before_s) / (time.monotonic() - started)


def _total(workers: Sequence[MeasuredWorker]) -> float:
    return sum(worker.cpu_s for worker in workers)


def spread(found: Found, of: Callable[[Sequence[Shared]], float]) -> float:
    """How much dearer an event is with the dearest number of workers than with the cheapest."""
    each = [of(runs) for runs in found.values()]
    return max(each) / min(each) - 1


def middle(runs: Sequence[Shared]) -> float:
    """Return the median CPU an event."""
    return median([run.cpu_us_per_event for run in runs])


def least(runs: Sequence[Shared]) -> float:
    """Return the least CPU an event: what others do on a shared machine only adds to it."""
    return min([run.cpu_us_per_event for run in runs])


def _idle(runs: Sequence[Shared]) -> float:
    return median([run.idle_share for run in runs])


def _table(found: Found) -> Table:
    headings = ("workers", "CPU µs/event (median)", "least", "each run", "idle, of a core")
    table = Table(*headings, title="The same events, by more workers")
    for n_workers, runs in found.items():
        each = ", ".join(f"{run.cpu_us_per_event:.1f}" for run in runs)
        figures = f"{middle(runs):.1f}", f"{least(runs):.1f}"
        table.add_row(str(n_workers), *figures, each, f"{_idle(runs):.1%}")
    spreads = f"{spread(found, middle):.1%}", f"{spread(found, least):.1%}"
    table.add_row("spread", *spreads, "", "")
    return table


def _said(shared: Shared) -> str:
    return f"{shared.cpu_us_per_event:.1f} µs/event, idle {shared.idle_share:.1%} of a core"


def _report(found: Found, n_events: int) -> dict[str, object]:
    return {
        "events": n_events,
        "workers": {
            str(n_workers): {
                "cpu_us_per_event": round(middle(runs), 2),
                "least_cpu_us_per_event": round(least(runs), 2),
                "idle_share": round(_idle(runs), 4),
                "runs": [asdict(run) for run in runs],
            }
            for n_workers, runs in found.items()
        },
        "spread": round(spread(found, middle), 4),
        "spread_of_least": round(spread(found, least), 4),
        "machine": machine(),
    }
