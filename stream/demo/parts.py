"""The running system: embedded broker, Triton and one worker, started in order, stopped in reverse.

Everything that runs is a child process, and everything it writes lies in one temporary folder.
"""

from __future__ import annotations

import glob
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from stream.demo.leftovers import Footprint, footprint_of
from stream.errors import PartDied
from stream.local.broker import EmbeddedBroker
from stream.local.children import Child, Children, free_port
from stream.local.janitor import Janitor
from stream.local.triton import EmbeddedTriton

PREFIX = "storestream-demo-"
_READY_TIMEOUT_S = 120.0
_POLL_S = 0.1


class Parts:
    """The children of one demo.

    Use as a context: leaving it stops what runs and removes the temporary folder, which goes also
    when this process is killed; when it is left by an error, the logs are kept in *kept_logs*
    first.
    """

    def __init__(self, *, repository: Path, kept_logs: Path) -> None:
        self._kept_logs = kept_logs
        self._began = time.time()
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._janitor = Janitor(glob.escape(str(self.folder)))
        self._broker = EmbeddedBroker(self._subfolder("broker"))
        self._triton = EmbeddedTriton(self._subfolder("triton"), repository)
        self._watched = Children()
        self._sessions = {self._janitor.pid}
        self._stops = ExitStack()
        self._metrics_port = 0
        self._footprint: Footprint | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop(keep_logs=kind is not None and not issubclass(kind, KeyboardInterrupt))

    @property
    def bootstrap(self) -> str:
        return self._broker.bootstrap

    @property
    def triton_grpc(self) -> str:
        return self._triton.grpc

    @property
    def triton_version(self) -> str:
        return self._triton.version

    @property
    def metrics_url(self) -> str:
        """Where the worker answers ``/metrics``, ``/live`` and ``/ready``."""
        return f"http://127.0.0.1:{self._metrics_port}"

    def start_broker(self) -> None:
        self._stops.callback(self._broker.stop)
        self._broker.start()
        self._watch(self._broker.child)

    def start_triton(self, models: tuple[str, ...]) -> None:
        self._stops.callback(self._triton.stop)
        self._triton.start(models)
        self._watch(self._triton.child)

    def start_worker(self, settings: Mapping[str, str]) -> None:
        """Start it and return once it is ready: partitions assigned, models checked.

        Raises:
            PartDied: A child ended, or the worker was not ready in time.
        """
        self._metrics_port = free_port()
        environment = {
            **settings,
            "STORESTREAM_BOOTSTRAP_SERVERS": self.bootstrap,
            "STORESTREAM_TRITON_URL": self.triton_grpc,
            "STORESTREAM_METRICS_PORT": str(self._metrics_port),
        }
        command = [sys.executable, "-m", "stream", "worker"]
        log_path = self._subfolder("worker") / "worker.log"
        child = Child("worker", command, log_path=log_path, environment=environment)
        self._watch(child)
        self._stops.callback(child.stop)
        self._wait_until_ready(child)

    def check(self) -> None:
        """Raise when a child has ended.

        Raises:
            PartDied: It names the child, and its log where it is kept.
        """
        death = self._watched.death()
        if death is not None:
            log_path = self._kept_logs / death.log_path.name
            raise PartDied(f"{death.name} ended with code {death.returncode}; its log: {log_path}")

    def stop(self, *, keep_logs: bool = False) -> None:
        """Stop all in reverse order and remove the folder; a second call does nothing."""
        if not self.folder.exists():
            return
        self._footprint = footprint_of(frozenset(self._sessions), self.folder, since=self._began)
        self._stops.close()
        if keep_logs:
            self._keep_logs()
        self._janitor.clean()

    def left_behind(self) -> list[str]:
        """Processes, ports and folders of ours that are still there after the stop."""
        return self._footprint.remaining() if self._footprint is not None else []

    def _watch(self, child: Child) -> None:
        self._watched.add(child)
        self._sessions.add(child.pid)

    def _keep_logs(self) -> None:
        self._kept_logs.mkdir(parents=True, exist_ok=True)
        for log in self.folder.rglob("*.log"):
            shutil.copy(log, self._kept_logs / log.name)

    def _subfolder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir()
        return folder

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.metrics_url}/ready", timeout=2) as answer:  # noqa: S310 - our own loopback address
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _wait_until_ready(self, worker: Child) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while not self._is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise PartDied(
                    f"the worker was not ready in {_READY_TIMEOUT_S:.0f} s; logs: {self._kept_logs}"
                )
            # Readiness is asked for over HTTP, and nothing tells of it; of an end the kernel does.
            worker.ends_within(_POLL_S)
