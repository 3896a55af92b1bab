"""``storestream bench inference``: what is left of Triton's rate behind the whole pipeline."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from stream.bench.contestants import ours_with_models
from stream.bench.direct import Direct, ask, single_row_ms
from stream.bench.measuring import Bench, Measured, measured, views_of
from stream.bench.scene import Scene, requests_by_rows, scene
from stream.demo.report import machine, write_report
from stream.domain.applied import EVENTS_TOPIC, Source
from stream.domain.history import History, history_of
from stream.domain.outputs import Recommendation
from stream.domain.sessions import Session, advance
from stream.errors import PartDied
from stream.kafka.records import InRecord
from stream.pipeline.intake import partition_for
from stream.pipeline.scoring import encode_sessions
from stream.ports import Tensors
from stream.settings import Settings

#: One executes and one waits, and twice that: the better counts as what Triton gives.
IN_FLIGHT = (2, 4)
_decode = msgspec.json.Decoder(Recommendation).decode

#: Partition and offset of an event.
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of both.

    Attributes:
        n_requests: Requests of the pipeline, by rows.
        direct: Rows a second, by requests in flight.
        single_ms: Of requests with one row, one at a time.
    """

    pipeline: Measured
    n_requests: Mapping[int, int]
    direct: Mapping[int, float]
    single_ms: Sequence[float]

    @property
    def most(self) -> float:
        """What Triton gave."""
        return max(self.direct.values())

    @property
    def rows_per_request(self) -> float:
        n_rows = sum(rows * count for rows, count in self.n_requests.items())
        return n_rows / sum(self.n_requests.values())


def run_bench_inference(*, report: Path | None, broker: str, runs: int, events: int) -> int:
    """Run the pipeline and the direct load in turn, *runs* times; return 0.

    Raises:
        PartDied: The worker ended, or did not answer each event by the model.
        LocalPartMissing: What is to be started cannot run here.
    """
    console = Console(highlight=False)
    found: list[Run] = []
    with scene(broker, console) as here:
        bench = Bench(here.settings, here.folder, here.products)
        for number in range(runs):
            found.append(_run(here, bench, events, number))
            console.print(f"run {number + 1} of {runs}: {_said(found[-1])}")
    console.print(_table(found))
    if report is not None:
        told = _report(found, here, broker=broker, n_events=events)
        write_report(told, report)
    return 0


def _asked_at_start(settings: Settings) -> Counter[int]:
    """Return the requests of a worker that comes: whether the model answers, and a full one."""
    return Counter((1, settings.max_rows))


def _run(here: Scene, bench: Bench, n_events: int, number: int) -> Run:
    url = here.settings.triton_url
    before = requests_by_rows(url)
    contestant = ours_with_models(here.settings, conflate=False)
    answers = bench.answered(contestant, n_events, number)
    n_requests = Counter(requests_by_rows(url))
    n_requests.subtract(before)
    n_requests.subtract(_asked_at_start(here.settings))
    pipeline = measured(answers)
    if (n_rows := sum(rows * n for rows, n in n_requests.items())) != n_events:
        raise PartDied(f"Triton was asked for {n_rows:,} rows by {n_events:,} events")
    if not pipeline.n_answers == pipeline.n_covered == n_events or pipeline.n_degraded:
        raise PartDied(
            f"{pipeline.n_answers:,} answers, {pipeline.n_degraded:,} of them without the model, "
            f"cover {pipeline.n_covered:,} of {n_events:,} events"
        )
    sizes = [size for size, count in n_requests.items() for _ in range(count)]
    Random(number).shuffle(sizes)  # noqa: S311 - to be repeatable
    rows, places = _rows(here, n_events, number)
    direct = {n: _directly(here, rows, sizes, n_in_flight=n) for n in IN_FLIGHT}
    _check_same(here, answers, places, direct[IN_FLIGHT[0]].candidates)
    rates = {n: each.rows_per_s for n, each in direct.items()}
    return Run(pipeline, {n: c for n, c in n_requests.items() if c}, rates, single_row_ms(here))


def _directly(here: Scene, rows: Tensors, sizes: Sequence[int], *, n_in_flight: int) -> Direct:
    version = here.vocabulary.version
    call = ask(here.settings.triton_url, rows, sizes, version=version, n_in_flight=n_in_flight)
    return asyncio.run(call)


def _rows(here: Scene, n_events: int, number: int) -> tuple[Tensors, list[Place]]:
    """Fold the run's events as the worker does: a row for each, with the session it left."""
    sessions: dict[str, Session] = {}
    offsets: Counter[int] = Counter()
    histories: list[History] = []
    places: list[Place] = []
    for event in views_of(here.products, n_events, number):
        partition = partition_for(event.visitor_id.encode(), here.settings.partitions)
        source = Source(EVENTS_TOPIC, partition, 0, offsets[partition])
        session = advance(sessions.get(event.visitor_id) or Session(), event, source)
        sessions[event.visitor_id] = session
        histories.append(history_of(session))
        places.append((partition, offsets[partition]))
        offsets[partition] += 1
    return encode_sessions(histories, here.vocabulary), places


def _check_same(
    here: Scene,
    answers: Sequence[InRecord],
    places: Sequence[Place],
    candidates: NDArray[np.int64],
) -> None:
    """Raise ``PartDied`` where the pipeline answered with what Triton does not say of that row."""
    decoded = [_decode(record.value or b"") for record in answers]
    first: dict[int, int] = {}
    for answer in decoded:
        (cover,) = answer.covers
        first[cover.partition] = min(cover.first_offset, first.get(cover.partition, 2**63))
    said = dict(zip(places, candidates, strict=True))
    for answer in decoded:
        (cover,) = answer.covers
        row = said[cover.partition, cover.first_offset - first[cover.partition]]
        wanted = {here.vocabulary.index[item.product_id] for item in answer.items}
        if not wanted or not wanted.issubset(row.tolist()):
            raise PartDied(f"{answer.recommendation_id}: Triton has other candidates for its row")


def _ratio(found: Sequence[Run]) -> float:
    return median([run.pipeline.events_per_s for run in found]) / median(
        [run.most for run in found]
    )


def _said(run: Run) -> str:
    direct = ", ".join(f"{rate:,.0f} with {n} in flight" for n, rate in run.direct.items())
    return (
        f"pipeline {run.pipeline.events_per_s:,.0f} rows/s, {run.rows_per_request:.1f} a request; "
        f"direct {direct}; one row {median(run.single_ms):.1f} ms"
    )


def _table(found: Sequence[Run]) -> Table:
    shown = Table("", "rows/s (median)", "each run", title="Triton behind the pipeline, and alone")
    columns = {"pipeline": [run.pipeline.events_per_s for run in found]}
    for n_in_flight in IN_FLIGHT:
        columns[f"direct, {n_in_flight} in flight"] = [run.direct[n_in_flight] for run in found]
    for name, rates in columns.items():
        shown.add_row(name, f"{median(rates):,.0f}", ", ".join(f"{rate:,.0f}" for rate in rates))
    shown.add_row("pipeline over direct", f"{_ratio(found):.2f}", "")
    return shown


def _report(found: Sequence[Run], here: Scene, *, broker: str, n_events: int) -> dict[str, object]:
    single_ms = [each for run in found for each in run.single_ms]
    return {
        "events": n_events,
        "broker": broker,
        "pipeline_over_direct": round(_ratio(found), 3),
        "pipeline_rows_per_s": [round(run.pipeline.events_per_s, 1) for run in found],
        "direct_rows_per_s": [
            {str(n): round(rate, 1) for n, rate in run.direct.items()} for run in found
        ],
        "rows_per_request": [round(run.rows_per_request, 2) for run in found],
        "requests_by_rows": [
            {str(n): count for n, count in sorted(run.n_requests.items())} for run in found
        ],
        "single_row_ms": {
            "p50": round(float(np.percentile(single_ms, 50)), 2),
            "p99": round(float(np.percentile(single_ms, 99)), 2),
        },
        "products": len(here.products),
        "triton": here.triton_version,
        "machine": machine(),
    }
