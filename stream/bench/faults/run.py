"""One run of ``storestream bench faults``, from the first start to the report."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from stream.bench.faults.books import Books, Said
from stream.bench.faults.director import Kind, Round, rounds
from stream.bench.faults.judging import Verdict, judged
from stream.bench.faults.kinds import KINDS
from stream.bench.faults.load import Load
from stream.bench.faults.report import Asked, Run, report_of, table
from stream.bench.faults.scene import Scene, scene
from stream.bench.faults.settling import settle
from stream.demo.narration import Narrator
from stream.demo.report import write_report
from stream.demo.training import FOLDER, models_in, read_data
from stream.errors import Misconfigured, PartDied


def run_bench_faults(*, report: Path | None, asked: Asked, kinds: str) -> int:
    """Load, strike, judge; 0 when nothing was lost and all came back.

    Args:
        report: Where the figures go. Logs of a run that failed stay beside it.
        kinds: Of faults, comma-separated, or ``all``.

    Raises:
        Misconfigured: There is no such kind.
        PartDied: A part of the bench itself failed, so that nothing can be judged.
        LocalPartMissing: What is to be started cannot run here.
    """
    console = Console(highlight=False)
    narrator = Narrator(console, headless=not console.is_terminal)
    chosen = chosen_kinds(kinds)
    repository = models_in(FOLDER, narrator, lambda: read_data(narrator))
    logs = _logs_beside(report)
    run = run_faults(narrator, logs, repository, asked=asked, kinds=chosen)
    console.print(table(run))
    if report is not None:
        write_report(report_of(run), report)
    for line in run.shown:
        console.print(line, markup=False)
    if run.wrong:
        console.print(f"Logs: {logs}", markup=False)
        return 1
    shutil.rmtree(logs)
    return 0


def chosen_kinds(kinds: str) -> Mapping[str, Kind]:
    """Return the kinds named, comma-separated, or all.

    Raises:
        Misconfigured: There is no such kind.
    """
    if kinds == "all":
        return KINDS
    names = kinds.split(",")
    if unknown := [name for name in names if name not in KINDS]:
        raise Misconfigured(f"--kinds: no {', '.join(unknown)}; there are {', '.join(KINDS)}")
    return {name: KINDS[name] for name in names}


def run_faults(
    narrator: Narrator, logs: Path, repository: Path, *, asked: Asked, kinds: Mapping[str, Kind]
) -> Run:
    """Do it, with the models of *repository*, and return what came of it.

    Raises:
        PartDied: A part of the bench itself failed, so that nothing can be judged.
        LocalPartMissing: What is to be started cannot run here.
    """
    seed, exactly_once = asked.seed, asked.exactly_once
    with (
        _complaints_in(logs),
        scene(narrator, logs, repository, seed=seed, exactly_once=exactly_once) as here,
    ):
        here.traffic.start(here.epochs(), asked.events_per_s)
        here.supervisor.start(asked.n_workers)
        if complaint := here.until_flowing():
            raise PartDied(f"without any fault: {complaint}")
        began_s, done = time.monotonic(), []
        for each in rounds(here, kinds, seconds=60 * asked.minutes, every_s=asked.every_s):
            done.append(each)
            line = _progress(here, each, time.monotonic() - began_s)
            narrator.console.print(line, soft_wrap=True, markup=False)
        seconds = time.monotonic() - began_s
        settle(here, exactly_once=exactly_once)
        verdict, said, n_sent = here.traffic.ask(_judged)
        endings = Counter(str(ending.code) for ending in here.supervisor.endings)
    return Run(asked, seconds, n_sent, said, verdict, done, dict(endings))


def _judged(books: Books, _: Load) -> tuple[Verdict, Said, int]:
    return judged(books), books.said, books.n_sent


def _progress(here: Scene, done: Round, seconds: float) -> str:
    n_sent, said = here.traffic.ask(lambda books, _: (books.n_sent, books.said))
    repeats = sum(said.repeats.values())
    return (
        f"{seconds:6,.0f} s  {n_sent:,} sent, {said.answers:,} answers, {repeats:,} repeats, "
        f"{said.dead_letters:,} dead letters  {done}"
    )


@contextmanager
def _complaints_in(folder: Path) -> Iterator[None]:
    """Let our own Kafka clients complain to a file: brokers are away again and again."""
    file = logging.FileHandler(folder / "bench.log")
    clients = [logging.getLogger(name) for name in ("aiokafka", "kafka")]
    for client in clients:
        client.addHandler(file)
        client.propagate = False
    try:
        yield
    finally:
        for client in clients:
            client.removeHandler(file)
            client.propagate = True
        file.close()


def _logs_beside(report: Path | None) -> Path:
    if report is None:
        return Path(tempfile.mkdtemp(prefix="storestream-bench-faults-"))
    logs = report.with_name(f"{report.stem}-logs")
    logs.mkdir(parents=True, exist_ok=True)
    return logs.resolve()
