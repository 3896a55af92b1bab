"""``storestream bench overload``: a burst of more than can be answered one by one, and after it."""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from stream.bench.books import Books
from stream.bench.contestants import ours_with_models
from stream.bench.loading import Sent
from stream.bench.overload_report import Burst, Overload, Phase, report_of, table
from stream.bench.scene import Scene, requests_by_rows, scene
from stream.bench.stage import resident_bytes
from stream.bench.stand import Stand, saturated, standing
from stream.demo.report import write_report
from stream.local.children import Child

__all__ = ["Burst", "run_bench_overload"]

_LOOK_S = 0.25


def run_bench_overload(*, report: Path | None, broker: str, runs: int, burst: Burst) -> int:
    """Send the burst *runs* times, each to a new worker; 0 when no event was lost.

    Raises:
        PartDied: The worker ended, was too slow to wait for, or lost an event.
        LocalPartMissing: What is to be started cannot run here.
    """
    console = Console(highlight=False)
    found: list[Overload] = []
    with scene(broker, console) as here:
        rates = saturated(here, runs)
        events_per_s = float(np.median(rates))
        console.print(f"saturated at {events_per_s:,.0f} events/s")
        for number in range(runs):
            found.append(_run(here, events_per_s, burst, number))
            console.print(f"run {number + 1} of {runs}: {found[-1]}")
    console.print(table(found, burst))
    if report is not None:
        told = report_of(found, burst, broker=broker, saturated=rates)
        write_report(told, report)
    return 0


def _run(here: Scene, events_per_s: float, burst: Burst, number: int) -> Overload:
    contestant = ours_with_models(here.settings, conflate=True)
    calm = events_per_s * burst.calm_share
    plan = {
        "before": (calm, burst.calm_s),
        "burst": (events_per_s * burst.times, burst.seconds),
        "after": (calm, burst.calm_s),
    }
    with standing(here, contestant, 200 + number) as stand, _memory(stand.child) as memory:
        n_degraded = stand.books.n_degraded
        loads = {name: _load(stand, rate, seconds) for name, (rate, seconds) in plan.items()}
        stand.wait()
        stand.audit()
    books, burst_sent, after_sent = stand.books, loads["burst"][0], loads["after"][0]
    stale_ms = books.last_stale_ms(burst.fresh_ms)
    return Overload(
        phases={name: _phase(books, each, rows, memory) for name, (each, rows) in loads.items()},
        recovered_s=max(0, (stale_ms or 0) - burst_sent.handed_ms) / 1000,
        most_resident_mib=memory.most(burst_sent.began_ms, after_sent.ended_ms) / 2**20,
        n_degraded=books.n_degraded - n_degraded,
        n_repeats=books.n_repeats,
    )


def _load(stand: Stand, events_per_s: float, seconds: float) -> tuple[Sent, float]:
    """Return what was sent, and the rows of a request meanwhile."""
    url = stand.here.settings.triton_url
    before = requests_by_rows(url)
    sent = stand.load(events_per_s, seconds)
    new = {rows: n - before.get(rows, 0) for rows, n in requests_by_rows(url).items()}
    return sent, sum(rows * n for rows, n in new.items()) / max(1, sum(new.values()))


@dataclass(slots=True)
class _Memory:
    """What a process had, each quarter of a second: ms since the Unix epoch, and bytes."""

    at_ms: array[int]
    n_bytes: array[int]

    def within(self, began_ms: int, ended_ms: int) -> NDArray[np.int64]:
        at = np.array(self.at_ms)
        return np.array(self.n_bytes)[(began_ms <= at) & (at <= ended_ms)]

    def most(self, began_ms: int, ended_ms: int) -> int:
        return int(self.within(began_ms, ended_ms).max())


@contextmanager
def _memory(child: Child) -> Iterator[_Memory]:
    memory, over = _Memory(array("q"), array("q")), threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_S) and child.alive:
            with suppress(FileNotFoundError, ProcessLookupError):  # it ended just now
                n_bytes = resident_bytes(child.pid)
                memory.at_ms.append(int(time.time() * 1000))
                memory.n_bytes.append(n_bytes)

    watching = threading.Thread(target=look, daemon=True)
    watching.start()
    try:
        yield memory
    finally:
        over.set()
        watching.join()


def _phase(books: Books, sent: Sent, rows_per_request: float, memory: _Memory) -> Phase:
    p50, p99, most = books.percentiles_ms(sent)
    return Phase(
        n_events=sent.n_events,
        events_per_s=sent.events_per_s,
        answers_per_event=books.n_answers(sent.began_ms, sent.ended_ms) / sent.n_events,
        rows_per_request=rows_per_request,
        p50_ms=p50,
        p99_ms=p99,
        max_ms=most,
        resident_mib=float(np.median(memory.within(sent.began_ms, sent.ended_ms))) / 2**20,
    )
