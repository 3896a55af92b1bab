"""``storestream bench exactly-once``: our worker with transactions beside itself without."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from stream.bench.brokers import started
from stream.bench.contestants import EXACTLY_ONCE, Contestant, exactly_once, ours
from stream.bench.findings import OURS, Findings
from stream.bench.findings import report_of as throughput_of
from stream.bench.latency_report import Phase
from stream.bench.listening import Listener
from stream.bench.measuring import PRODUCTS, Bench
from stream.bench.stand import standing
from stream.demo.report import machine, write_report
from stream.errors import Misconfigured, PartDied
from stream.settings import Settings


@dataclass(frozen=True, slots=True)
class Load:
    """What is measured: *events* that wait, and then *events_per_s* for *seconds*."""

    events: int
    events_per_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Ground:
    """A broker, a folder for logs, and what is viewed."""

    settings: Settings
    folder: Path
    products: tuple[str, ...] = PRODUCTS


@dataclass(slots=True)
class Found:
    """Results as they come in, by contestant; phases last from append to where answers can be read."""

    throughput: Findings
    phases: dict[str, list[Phase]] = field(default_factory=dict)

    def middle(self, name: str, figure: str) -> float:
        """Return the median over the runs of ``p50_ms`` or ``p99_ms``."""
        return float(median([getattr(phase, figure) for phase in self.phases[name]]))


def run_bench_exactly_once(*, report: Path | None, broker: str, runs: int, load: Load) -> int:
    """Run both in turn, *runs* times; 0 when both answered each event once.

    Raises:
        Misconfigured: The broker has no transactions.
        PartDied: One ended, was too slow to wait for, or left an event without an answer.
    """
    if broker == "tansu":
        raise Misconfigured("bench exactly-once: the embedded broker has no transactions")
    console = Console(highlight=False)
    found = Found(Findings(n_events=load.events, broker=broker, peers=(EXACTLY_ONCE,)))
    with (
        started(broker) as settings,
        tempfile.TemporaryDirectory(prefix="storestream-bench-") as folder,
    ):
        here, turns = Ground(settings, Path(folder)), tuple(_turns(settings, runs))
        bench = Bench(settings, here.folder)
        # First all of the one: it counts what was committed, and both read the same topic.
        for number, contestant in enumerate(turns):
            measured = bench.run(contestant, load.events, number)
            found.throughput.add(contestant.name, measured)
            console.print(
                f"{_turn(number, runs, contestant)}: {measured.events_per_s:,.0f} events/s"
            )
        for number, contestant in enumerate(turns):
            phase = _phase(here, contestant, load, number)
            found.phases.setdefault(contestant.name, []).append(phase)
            console.print(f"{_turn(number, runs, contestant)}: {phase}")
    console.print(table(found))
    if report is not None:
        write_report(report_of(found, load), report)
    for name, reason in found.throughput.failed.items():
        console.print(f"{name} failed: {reason}", markup=False)
    return 1 if found.throughput.failed else 0


def _turns(settings: Settings, runs: int) -> Iterator[Contestant]:
    """Both read the same topics as one group, so that each has the same behind it."""
    for _ in range(runs):
        yield ours(settings)
        yield exactly_once(ours(settings))


def _turn(number: int, runs: int, contestant: Contestant) -> str:
    return f"run {number // 2 + 1} of {runs}: {contestant.name}"


def _phase(here: Ground, contestant: Contestant, load: Load, number: int) -> Phase:
    settings = here.settings
    with (
        Listener(settings.bootstrap, contestant.answers, settings.partitions) as listener,
        standing(here, contestant, number, listener) as stand,
    ):
        sent = stand.load(load.events_per_s, load.seconds)
        stand.wait()
        stand.audit()
        if stand.books.n_repeats:
            raise PartDied(f"{contestant.name}: {stand.books.n_repeats:,} answers came twice")
        return Phase(sent.n_events, sent.events_per_s, *stand.books.percentiles_ms(sent))


def table(found: Found) -> Table:
    """The report for a terminal."""
    title = "One answer an event; latency from append to where a read_committed consumer has it"
    shown = Table("", "events/s", "p50 ms", "p99 ms", title=title)
    for name in found.phases:
        rate = found.throughput.events_per_s(name)
        figures = [f"{found.middle(name, of):,.0f}" for of in ("p50_ms", "p99_ms")]
        shown.add_row(name, "-" if rate is None else f"{rate:,.0f}", *figures)
    times = found.throughput.ratio().get(EXACTLY_ONCE)
    shown.add_row("without : with", "-" if times is None else f"{times:.2f}", "", "")
    return shown


def report_of(found: Found, load: Load) -> dict[str, object]:
    """The JSON report."""
    throughput = throughput_of(found.throughput, versions={}, machine=machine())
    latency = {
        name: {figure: found.middle(name, figure) for figure in ("p50_ms", "p99_ms")}
        for name in (OURS, EXACTLY_ONCE)
        if name in found.phases
    }
    return {**throughput, "events_per_s_for_latency": load.events_per_s, "latency": latency}
