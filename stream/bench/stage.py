"""A broker of its own with our workers on it, and what the system says about their processes."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import mean

from prometheus_client.parser import text_string_to_metric_families

from stream.bench.contestants import Contestant
from stream.bench.seeding import publish, views
from stream.demo.reading import Progress, TopicsReader
from stream.errors import PartDied
from stream.kafka.administration import create_topics
from stream.local.broker import EmbeddedBroker
from stream.local.children import free_port
from stream.settings import Settings
from stream.topics import EVENTS
from stream.wanted_topics import wanted_topics

#: A join takes five seconds and more, and recovery its time.
_READY_TIMEOUT_S = 240.0
_LOOK_S = 0.25
#: Events before the measured ones, so that nothing is done for the first time in those.
_N_WARM_UP = 5_000
#: Ready so often in a row is ready: a group may yet change hands once all have come.
_LOOKS_READY = 8
#: Slower than this nothing is waited for.
_SLOWEST_PER_S = 500
#: Each brings up to 5,000 records of a partition.
_N_POLLS = 8
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
#: Which clock of a process: CPUCLOCK_SCHED, user and system time of all its threads. The number is
#: made as glibc's clock_getcpuclockid makes it (sysdeps/unix/sysv/linux).
_CPU_CLOCK = 2


class MeasuredWorker:
    """A worker in a process of its own."""

    def __init__(self, contestant: Contestant, folder: Path, number: int) -> None:
        """Start *contestant*, one of ours; its log and data go to a folder below *folder*."""
        self._url = f"http://127.0.0.1:{(port := free_port())}"
        environment = {**contestant.environment, "STORESTREAM_METRICS_PORT": str(port)}
        worker = replace(contestant, name=f"worker-{number}", environment=environment)
        self.child = worker.start(folder / worker.name)

    @property
    def cpu_s(self) -> float:
        """CPU seconds so far, to the nanosecond."""
        return time.clock_gettime(~self.child.pid << 3 | _CPU_CLOCK)

    @property
    def resident_bytes(self) -> int:
        """Memory that it has now."""
        return resident_bytes(self.child.pid)

    @property
    def is_ready(self) -> bool:
        """Whether its partitions are recovered.

        Raises:
            PartDied: It has ended.
        """
        self.check()
        try:
            with urllib.request.urlopen(f"{self._url}/ready", timeout=5) as answer:  # noqa: S310 - our own loopback address
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def metrics(self, label: str) -> Mapping[str, float]:
        """Return its metrics that have *label* among the values of their labels, by name."""
        with urllib.request.urlopen(f"{self._url}/metrics", timeout=10) as answer:  # noqa: S310 - our own loopback address
            text = answer.read().decode()
        return {
            sample.name: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if label in sample.labels.values()
        }

    def check(self, within_s: float = 0.0) -> None:
        """Raise ``PartDied`` where it has ended, or does so *within_s*."""
        if self.child.ends_within(within_s):
            raise PartDied(f"{self.child.name} has ended: {self.child.tail(20)}")


def resident_bytes(pid: int) -> int:
    """Return the memory that process *pid* has now."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * _PAGE_BYTES


@contextmanager
def stage() -> Iterator[tuple[Settings, Path]]:
    """An embedded broker with our topics, and a folder for its workers' logs."""
    with tempfile.TemporaryDirectory(prefix="storestream-bench-") as name:
        folder = Path(name)
        broker = EmbeddedBroker(folder)
        broker.start()
        try:
            settings = Settings(bootstrap_servers=broker.bootstrap)
            create_topics(settings.bootstrap, wanted_topics(settings))
            yield settings, folder
        finally:
            broker.stop()


@contextmanager
def working(contestant: Contestant, folder: Path, n_workers: int) -> Iterator[list[MeasuredWorker]]:
    """Workers with recovered partitions, each at least one; stopped at the end.

    Raises:
        PartDied: One ended, or they were not ready in time.
    """
    with ExitStack() as stack:
        workers = []
        for number in range(n_workers):
            worker = MeasuredWorker(contestant, folder, number)
            stack.callback(worker.child.stop, timeout_s=15)
            workers.append(worker)
        _wait_ready(workers)
        yield workers


def wait_committed(settings: Settings, workers: Sequence[MeasuredWorker], n_events: int) -> None:
    """Return when *n_events* are answered and committed, counted from the topic's beginning.

    Raises:
        PartDied: A worker ended, or they were too slow to wait for.
    """
    deadline = time.monotonic() + 60 + n_events / _SLOWEST_PER_S
    progress = Progress(settings.bootstrap[0], settings.group_id)
    try:
        while progress.committed().get(EVENTS.name, 0) < n_events:
            if time.monotonic() > deadline:
                raise PartDied(f"{n_events} events were not answered in time")
            let_pass(_LOOK_S, workers)
    finally:
        progress.close()


def let_pass(seconds: float, workers: Sequence[MeasuredWorker]) -> None:
    """Return after *seconds*: neither a commit nor readiness tells of itself, but an end does.

    Raises:
        PartDied: A worker ended.
    """
    for worker in workers:
        worker.check(within_s=seconds / len(workers))


def cpu_s_of(
    settings: Settings,
    workers: Sequence[MeasuredWorker],
    n_events: int,
    *,
    n_visitors: int,
    seed: int,
) -> float:
    """Return the CPU time that *n_events* took, after the first few and over all workers.

    Raises:
        PartDied: A worker ended, was too slow to wait for, or did other work than it was given.
    """
    n_all = _N_WARM_UP + n_events
    events = list(views(n_all, n_visitors, settings.partitions, seed=seed))
    asyncio.run(publish(settings, events[:_N_WARM_UP]))
    wait_committed(settings, workers, _N_WARM_UP)
    before_s = sum(worker.cpu_s for worker in workers)
    asyncio.run(publish(settings, events[_N_WARM_UP:]))
    wait_committed(settings, workers, n_all)
    after_s = sum(worker.cpu_s for worker in workers)
    if any(worker.metrics(EVENTS.name).get("stream_repeated_records_total") for worker in workers):
        raise PartDied("a worker took new events for repeated ones")
    return after_s - before_s


def record_bytes(settings: Settings, topic: str) -> float:
    """Return the size of a record's key and value in *topic*, on average over the first polls."""
    reader = TopicsReader(settings.bootstrap[0], {topic: settings.partitions})
    polled = [record for chunk in islice(reader.rest(), _N_POLLS) for record in chunk.records]
    return mean(len(record.key or b"") + len(record.value or b"") for record in polled)


def _wait_ready(workers: Sequence[MeasuredWorker]) -> None:
    deadline, n_looks = time.monotonic() + _READY_TIMEOUT_S, 0
    while n_looks < _LOOKS_READY:
        n_looks = n_looks + 1 if all(worker.is_ready for worker in workers) else 0
        if time.monotonic() > deadline:
            raise PartDied(f"{len(workers)} workers were not ready in {_READY_TIMEOUT_S} s")
        let_pass(_LOOK_S, workers)
