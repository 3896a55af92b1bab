"""A process that stands still, as on a machine that was suspended."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness.waiting import until


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Let no thread of a process run meanwhile.

    A signal is sent before it has come to every thread: on a busy machine a broker took one more
    request after it.
    """
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: _is_still(pid), "every thread of it stands still")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _is_still(pid: int) -> bool:
    """Whether each thread is stopped; its state is the first word behind its name in brackets."""
    try:
        told = [(task / "stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except FileNotFoundError:  # a thread that ended meanwhile
        return False
    return all(each.rpartition(")")[2].split()[0] == "T" for each in told)
