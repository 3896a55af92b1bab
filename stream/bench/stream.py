"""``storestream bench stream``: our throughput without inference, beside plain Faust's."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from stream.bench.contestants import ours, plain_faust
from stream.bench.measuring import Bench, Measured
from stream.demo.report import machine, write_report
from stream.errors import Misconfigured
from stream.kafka.administration import list_topics
from stream.local.broker import EmbeddedBroker
from stream.settings import Settings, load
from stream.topics import TOPICS

Results = dict[str, list[Measured]]


def run_bench_stream(*, report: Path | None, broker: str, runs: int, events: int) -> int:
    """Run both in turn, *runs* times; 0 when both answered every event.

    Args:
        broker: ``embedded``, or ``settings`` for the one that the settings name; it must not
            have our topics yet.
    """
    console = Console(highlight=False)
    results: Results = {}
    with _settings(broker) as settings, tempfile.TemporaryDirectory() as folder:
        bench = Bench(settings, Path(folder))
        for number in range(runs):
            for contestant in (ours(settings), plain_faust(settings, number)):
                measured = bench.run(contestant, events, number)
                results.setdefault(contestant.name, []).append(measured)
                console.print(
                    f"{contestant.name}, run {number + 1} of {runs}: "
                    f"{measured.n_answers:,} answers, {measured.events_per_s:,.0f} events/s"
                )
    console.print(_table(results))
    if report is not None:
        write_report(_report(results, broker, events), report)
    complete = all(
        each.n_answers == each.n_covered == events for found in results.values() for each in found
    )
    if not complete:
        console.print("Not every event was answered exactly once: the figures do not compare.")
    return 0 if complete else 1


@contextmanager
def _settings(broker: str) -> Iterator[Settings]:
    if broker != "embedded":
        settings = load()
        _refuse_used(settings)
        yield settings
        return
    with tempfile.TemporaryDirectory(prefix="storestream-bench-") as folder:
        embedded = EmbeddedBroker(Path(folder))
        embedded.start()
        try:
            yield Settings(bootstrap_servers=embedded.bootstrap)
        finally:
            embedded.stop()


def _refuse_used(settings: Settings) -> None:
    used = list_topics(settings.bootstrap, [spec.name for spec in TOPICS])
    if used:
        raise Misconfigured(f"bench stream: {used[0].name} is in use; a bench needs its own broker")


def _medians(results: Results) -> dict[str, float]:
    return {name: median(_rates(found)) for name, found in results.items()}


def _rates(found: Sequence[Measured]) -> list[float]:
    return [round(each.events_per_s, 1) for each in found]


def _ratio(results: Results) -> float:
    medians = _medians(results)
    return round(medians["storestream"] / max(medians["plain_faust"], 1e-9), 1)


def _table(results: Results) -> Table:
    table = Table("", "events/s (median)", "each run", title="No inference, one answer an event")
    for name, middle in _medians(results).items():
        each = ", ".join(f"{rate:,.0f}" for rate in _rates(results[name]))
        table.add_row(name, f"{middle:,.0f}", each)
    table.add_row("ratio", f"{_ratio(results)}", "")
    return table


def _report(results: Results, broker: str, events: int) -> dict[str, object]:
    return {
        "events": events,
        "broker": broker,
        "contestants": {
            name: {
                "events_per_s": _medians(results)[name],
                "runs": _rates(found),
                "answers": [each.n_answers for each in found],
                "covered": [each.n_covered for each in found],
            }
            for name, found in results.items()
        },
        "ratio": _ratio(results),
        "machine": machine(),
    }
