"""A worker as a process of its own: started, asked, signalled, killed."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families

from stream.local.children import Child, free_port
from stream.topics import PRODUCTS_CHANGELOG, SESSIONS_CHANGELOG
from tests.harness.brokers import VARIABLE
from tests.harness.events import N_PARTITIONS
from tests.harness.waiting import until

COMMAND = (sys.executable, "-m", "stream", "worker")
FAUST_COMMAND = (sys.executable, "-m", "faust", "-A", "stream.app", "worker", "--loglevel=info")
#: The settings check every variable of our prefix, and this one is the test suite's.
_WITHOUT_OURS = ("/usr/bin/env", "-u", VARIABLE)
#: Joins take 2 s with these, and 3 s the one after a hard kill.
QUICK: Mapping[str, object] = {
    "broker_session_timeout_s": 3,
    "broker_heartbeat_interval_s": 0.6,
    "broker_rebalance_timeout_s": 6,
    "shutdown_timeout_s": 3.5,
    "commit_interval_s": 0.2,
    "triton_timeout_s": 1,
    "triton_deadline_s": 2,
    "breaker_reset_s": 0.5,
    "stock_tick_s": 0.5,
}

_ordinals = itertools.count(1)


class Worker:
    """One worker; leaving its context kills it."""

    def __init__(
        self,
        folder: Path,
        bootstrap: str,
        *,
        triton: str | None,
        command: Sequence[str] = COMMAND,
        **settings: object,
    ) -> None:
        """Start it. Without *triton* its answers are degraded; *settings* go over ``QUICK``."""
        self._port = free_port()
        told = {
            **QUICK,
            "bootstrap_servers": bootstrap,
            "metrics_port": self._port,
            **({"inference": "none"} if triton is None else {"triton_url": triton}),
            **settings,
        }
        environment = {f"STORESTREAM_{name.upper()}": str(value) for name, value in told.items()}
        self.child = Child(
            "worker",
            [*_WITHOUT_OURS, *command],
            log_path=folder / f"worker-{next(_ordinals)}.log",
            environment=environment,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        if error is not None:
            error.add_note(f"The worker's log {self.child.log_path} ends with:\n{self.tail()}")

    # -- asking

    @property
    def pid(self) -> int:
        return self.child.pid

    def ready(self) -> bool:
        return self.ask("/ready")[0] == http.HTTPStatus.OK

    def wait_ready(self, within_s: float = 40.0) -> Self:
        """Return once it answers in full; it must not end meanwhile."""
        until(self._ready_or_ended, "the worker is ready", within_s=within_s, otherwise=self.tail)
        assert self.child.alive, f"The worker ended with {self.child.returncode}: {self.tail()}"
        return self

    def ask(self, path: str, *, timeout_s: float = 5) -> tuple[int, str]:
        """Return status and body of its health port; status 0 while nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout_s)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of the samples called *name* that have *labels*."""
        _, text = self.ask("/metrics")
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return the log's entries of one event name."""
        lines = self.child.log_path.read_text(errors="replace").splitlines()
        entries = [json.loads(line) for line in lines if f'"{event}"' in line]
        return [entry for entry in entries if entry.get("event") == event]

    def tail(self) -> str:
        return self.child.tail(40)

    # -- ending

    def kill(self) -> None:
        """``kill -9``: no chance to finish anything."""
        self.child.kill()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Stop it for less than its session, so that what is published meanwhile waits for it."""
        self.child.freeze()
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to end, and do not wait."""
        os.kill(self.pid, signal.SIGTERM)

    def wait_ended(self, within_s: float = 30.0) -> int:
        """Return its exit code once it has ended by itself."""
        until(
            lambda: not self.child.alive, "the worker ends", within_s=within_s, otherwise=self.tail
        )
        assert self.child.returncode is not None
        return self.child.returncode

    def _ready_or_ended(self) -> bool:
        return not self.child.alive or self.ready()


def shared_out(first: Worker, second: Worker) -> bool:
    """Whether each partition is with one worker, visitors' and products' topics alike."""
    return all(
        sorted([*partitions(first, changelog), *partitions(second, changelog)])
        == list(range(N_PARTITIONS))
        and partitions(second, changelog)
        for changelog in (SESSIONS_CHANGELOG.name, PRODUCTS_CHANGELOG.name)
    )


def partitions(worker: Worker, changelog: str) -> list[int]:
    """Return the partitions whose state *worker* recovered last."""
    recovered = [e for e in worker.logged("state_recovered") if e["changelog"] == changelog]
    return list(recovered[-1]["partitions"]) if recovered else []
