"""Processes of our own that leave nothing behind: not after a stop, and not after our own crash."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_TAIL_BYTES = 64 * 1024

# Runs in the child before the program itself, in place of ``preexec_fn``, which may deadlock in a
# parent with threads (gRPC, the event loop's executor). The signal survives ``execve``: man 2 prctl.
_LAUNCHER = """
import ctypes, json, os, signal, sys
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the process that started this one is gone")
os.execve(sys.argv[3], sys.argv[3:], {**os.environ, **json.loads(sys.argv[2])})
"""


def free_port() -> int:
    """Return a loopback port that nothing listens on, and that nobody is given for a minute.

    A connection that ended here keeps it (``TIME_WAIT``): whoever asks the system for any port gets
    another one, and a server that names this one has it, since servers set ``SO_REUSEADDR``.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        with socket.create_connection(address):
            listener.accept()[0].close()
    port: int = address[1]
    return port


class Child:
    """A started process that leads its own session, with stdout and stderr in one log file.

    The kernel kills it when the *thread* that started it ends (``PR_SET_PDEATHSIG``), however that
    comes about; so start it from a thread that outlives it, which the main thread does.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log_path: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Start *command*, whose first word is an absolute path.

        *environment* is set over the variables of this process; the child works in *folder*, or
        where this process does.
        """
        self.name = name
        self.log_path = log_path
        log_path.parent.mkdir(parents=True, exist_ok=True)
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER]
        arguments = [str(os.getpid()), json.dumps(dict(environment or {})), *command]
        with log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*launcher, *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id, and id of the process group and session."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit code, minus the signal that ended it, or None while it runs."""
        return self._process.poll()

    @property
    def alive(self) -> bool:
        return self.returncode is None

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end for *seconds* at most; return whether it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return not self.alive

    def tail(self, n_lines: int = 20) -> str:
        """Return the last lines of the log."""
        with contextlib.suppress(FileNotFoundError), self.log_path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - _TAIL_BYTES))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-n_lines:])
        return ""

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ask it to end, wait, then kill what is left of its group; a second call does nothing."""
        if self.alive:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
        self.kill()

    def freeze(self) -> None:
        """Stop it where it stands, until ``SIGCONT``; return once no thread of it runs any more.

        A signal is sent before it has come to every thread. The kernel tells of a stopped child when
        the last has stopped: ``do_signal_stop()`` of Linux.
        """
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def kill(self) -> None:
        """Kill the whole group at once, also one whose leader is gone already."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


@dataclass(frozen=True, slots=True)
class Death:
    """A child that ended although nobody asked it to."""

    name: str
    returncode: int
    log_path: Path

    def __str__(self) -> str:
        return f"{self.name} ended with code {self.returncode}; its log: {self.log_path}"


@dataclass(slots=True)
class Children:
    """Several children, watched together and stopped in the reverse order of their start."""

    _children: list[Child] = field(default_factory=list)

    def add(self, child: Child) -> Child:
        """Watch *child* from now on."""
        self._children.append(child)
        return child

    def death(self) -> Death | None:
        """Return the first child, in order of start, that has ended, or None while all run."""
        for child in self._children:
            returncode = child.returncode
            if returncode is not None:
                return Death(child.name, returncode, child.log_path)
        return None

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop all, last started first; each has *timeout_s* before it is killed."""
        while self._children:
            self._children.pop().stop(timeout_s)
