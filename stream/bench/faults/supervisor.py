"""Workers as production runs them: so many, each started again whenever it ends."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stream.errors import PartDied
from stream.local.children import Child

_COMMAND = (sys.executable, "-m", "stream", "worker")
_LOOK_S = 0.1
#: Before it is started again, as supervisors do: what ends at once would take the machine for itself.
_RESTART_S = 1.0
_STOP_S = 20.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a worker ended; *code* is minus the signal, where one ended it."""

    worker: str
    code: int
    child: Child

    def tail(self) -> str:
        """Return the last it said."""
        return self.child.tail(60)


class Supervisor:
    """Keeps workers running, in a thread of its own: a child lives no longer than its thread."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Workers get *environment*, and write their logs to *folder*."""
        self.endings: list[Ending] = []
        self._folder = folder
        self._environment = environment
        self._names = itertools.count(1)
        self._lock = threading.RLock()
        self._wanted = 0
        self._workers: list[Child] = []
        self._retired: list[Child] = []
        self._not_before_s = 0.0
        self._over = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def start(self, n_workers: int) -> None:
        """Start so many and keep them running."""
        self._wanted = n_workers
        self._thread.start()

    def stop(self) -> None:
        """Ask all to end, and kill whoever does not in time; a second call does nothing."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def check(self) -> None:
        """Raise ``PartDied`` where workers cannot be kept running."""
        if self._failure is not None:
            raise PartDied(f"the supervisor failed: {self._failure!r}") from self._failure

    @property
    def n_wanted(self) -> int:
        return self._wanted

    @property
    def workers(self) -> list[Child]:
        """Those that run, oldest first."""
        with self._lock:
            return [worker for worker in self._workers if worker.alive]

    def add(self) -> None:
        """Let one more work."""
        with self._lock:
            self._wanted += 1
            self._not_before_s = 0.0

    def remove(self) -> Child:
        """Ask the oldest to end, for good, and return it."""
        with self._lock:
            self._wanted -= 1
            worker = self.workers[0]
            self._workers.remove(worker)
            self._retired.append(worker)
            os.kill(worker.pid, signal.SIGTERM)
            return worker

    # -- in its thread

    def _supervise(self) -> None:
        try:
            while not self._over.wait(_LOOK_S):
                with self._lock:
                    self._look()
        except BaseException as error:  # noqa: BLE001 - whoever waits for workers is told
            self._failure = error
        finally:
            self._end_all()

    def _look(self) -> None:
        now_s = time.monotonic()
        for group in (self._workers, self._retired):
            for worker in [each for each in group if not each.alive]:
                group.remove(worker)
                code = worker.returncode
                self.endings.append(Ending(worker.name, -1 if code is None else code, worker))
                self._not_before_s = now_s + _RESTART_S
        while len(self._workers) < self._wanted and now_s >= self._not_before_s:
            name = f"worker-{next(self._names)}"
            log_path = self._folder / f"{name}.log"
            child = Child(name, _COMMAND, log_path=log_path, environment=self._environment)
            self._workers.append(child)

    def _end_all(self) -> None:
        with self._lock:
            running = [*self._workers, *self._retired]
        for worker in running:
            if worker.alive:
                os.kill(worker.pid, signal.SIGCONT)
                os.kill(worker.pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_S
        for worker in running:
            worker.ends_within(max(0.0, deadline - time.monotonic()))
            worker.kill()
