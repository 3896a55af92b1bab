"""``storestream bench latency``: from an event's append to its answer's, at shares of full load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from stream.bench.books import Books
from stream.bench.contestants import Contestant, ours_with_models
from stream.bench.direct import single_row_ms
from stream.bench.findings import OURS
from stream.bench.latency_report import Found, Phase, plots, report_of, table
from stream.bench.loading import Sent
from stream.bench.peers import ASKING, Peer
from stream.bench.scene import Scene, scene
from stream.bench.stand import saturated, standing
from stream.demo.report import write_report
from stream.errors import PartDied


def run_bench_latency(
    *, report: Path | None, broker: str, runs: int, seconds: float, loads: Sequence[int]
) -> int:
    """Load us, plain Faust and a bare loop in turn, *runs* times; 0 when we answered all events.

    Args:
        seconds: Of each load.
        loads: In percent of the rate at which we are saturated.

    Raises:
        PartDied: Our worker ended, or was too slow to wait for.
        LocalPartMissing: What is to be started cannot run here.
    """
    console = Console(highlight=False)
    with scene(broker, console) as here:
        found = Found(broker=broker, seconds=seconds, loads=tuple(loads))
        found.saturated = saturated(here, runs)
        console.print(f"saturated at {found.events_per_s:,.0f} events/s")
        for number in range(runs):
            found.single_row_ms += single_row_ms(here)
            for contestant in _contestants(here, number):
                if contestant.name not in found.failed:
                    console.print(f"run {number + 1} of {runs}: {contestant.name}")
                    for share, phase in _run(here, contestant, found, number).items():
                        console.print(f"  {share} %: {phase}")
    console.print(table(found))
    if report is not None:
        write_report(report_of(found), report)
        report.with_suffix(".svg").write_text(plots(found), encoding="utf-8")
    for name, reason in found.failed.items():
        console.print(f"{name} failed: {reason}", markup=False)
    return 1 if OURS in found.failed else 0


def _contestants(here: Scene, number: int) -> tuple[Contestant, ...]:
    ours = ours_with_models(here.settings, conflate=False)
    return ours, *(_theirs(here, peer, number) for peer in ASKING)


def _theirs(here: Scene, peer: Peer, number: int) -> Contestant:
    theirs = peer.contestant(here.settings, number, None)
    environment = {
        **theirs.environment,
        "PEER_TRITON": here.settings.triton_url,
        "PEER_VOCABULARY": str(here.vocabulary_file),
    }
    return replace(theirs, environment=environment)


def _run(here: Scene, contestant: Contestant, found: Found, number: int) -> Mapping[int, Phase]:
    """Load *contestant* with each load in turn; why it did not come through is noted."""
    phases: dict[int, Phase] = {}
    try:
        for share, phase in _loaded(here, contestant, found, number):
            phases[share] = phase
            found.add(contestant.name, share, phase)
    except (PartDied, TimeoutError) as error:
        found.failed[contestant.name] = f"run {number + 1}: {error}"
    return phases


def _loaded(
    here: Scene, contestant: Contestant, found: Found, number: int
) -> Iterator[tuple[int, Phase]]:
    """Give what came of each load; the contestant ends with the last."""
    with standing(here, contestant, number) as stand:
        for share in found.loads:
            n_before = stand.books.n_degraded
            sent = stand.load(found.events_per_s * share / 100, found.seconds)
            stand.wait()
            stand.audit()
            if n_degraded := stand.books.n_degraded - n_before:
                raise PartDied(f"at {share} % {n_degraded:,} answers came without the model")
            yield share, _phase(stand.books, sent)


def _phase(books: Books, sent: Sent) -> Phase:
    return Phase(sent.n_events, sent.events_per_s, *books.percentiles_ms(sent))
