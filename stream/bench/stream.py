"""``storestream bench stream``: our throughput without inference, beside others' at the same work."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import msgspec
from rich.console import Console

from stream.bench import peer_environment
from stream.bench.brokers import started
from stream.bench.contestants import Contestant, ours
from stream.bench.findings import Findings, report_of, table
from stream.bench.measuring import Bench
from stream.bench.peers import REQUIREMENTS, Peer, chosen_peers
from stream.demo.report import machine, write_report
from stream.errors import LocalPartMissing, PartDied

Say = Callable[[str], object]


def run_bench_stream(
    *, report: Path | None, broker: str, peers: str, runs: int, events: int
) -> int:
    """Run us and the peers in turn, *runs* times; 0 when all that ran answered every event.

    Args:
        broker: ``tansu``, ``kafka``, or ``settings`` for the one that the settings name; that one
            must not have our topics yet.
        peers: Their names, comma-separated, or ``all``.
    """
    console = Console(highlight=False)
    chosen = chosen_peers(peers)
    found = Findings(n_events=events, broker=broker, peers=tuple(peer.name for peer in chosen))
    able = _able(chosen, found)
    python = _python(able, found, console.print)
    with (
        started(broker) as settings,
        tempfile.TemporaryDirectory(prefix="storestream-bench-") as folder,
    ):
        bench = Bench(settings, Path(folder))
        for number in range(runs):
            theirs = [peer.contestant(settings, number, python) for peer in able]
            for contestant in (ours(settings), *theirs):
                if contestant.name not in {**found.failed, **found.skipped}:
                    console.print(f"Round {number + 1} of {runs}: {contestant.name} ...", end=" ")
                    console.print(_run(bench, contestant, number, found))
    console.print(table(found))
    if report is not None:
        write_report(report_of(found, versions=_versions(), machine=machine()), report)
    for name, reason in found.failed.items():
        console.print(f"{name} failed: {reason}", markup=False)
    return 1 if found.failed else 0


def _able(chosen: tuple[Peer, ...], found: Findings) -> tuple[Peer, ...]:
    """Leave out whom the broker does not give what they need, and say so."""
    if found.broker == "tansu":
        needy = [peer.name for peer in chosen if peer.apache_kafka_only]
        reason = "skipped: it reads settings of topics that the embedded broker does not give"
        found.skipped.update(dict.fromkeys(needy, reason))
    return tuple(peer for peer in chosen if peer.name not in found.skipped)


def _python(peers: tuple[Peer, ...], found: Findings, say: Say) -> Path | None:
    """Make the peers' environment, or leave out those who need it, and say so."""
    needy = [peer.name for peer in peers if not peer.installed]
    if not needy:
        return None
    try:
        return peer_environment.peer_python(REQUIREMENTS, peer_environment.FOLDER, say)
    except LocalPartMissing as error:
        found.skipped.update(dict.fromkeys(needy, f"skipped: {error}"))
        return None


def _versions() -> dict[str, str]:
    theirs = peer_environment.pinned(REQUIREMENTS.read_text())
    return {**theirs, "faust-streaming": metadata.version("faust-streaming")}


def _run(bench: Bench, contestant: Contestant, number: int, found: Findings) -> str:
    try:
        measured = bench.run(contestant, found.n_events, number)
    except (PartDied, TimeoutError, msgspec.DecodeError) as error:
        found.failed[contestant.name] = f"round {number + 1}: {error}"
        return "failed"
    found.add(contestant.name, measured)
    return f"{measured.n_answers:,} answers, {measured.events_per_s:,.0f} events/s"
