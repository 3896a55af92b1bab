"""What our processes leave on disk is removed when we end, however that comes about.

The file is also the program of a process of its own, which waits for the end of this one. It runs
without any package, so it imports the standard library only.
"""

from __future__ import annotations

import glob
import shutil
import subprocess
import sys
import time
from pathlib import Path

#: Five seconds in all: children that die with their parent may still write for a moment, and they are
#: not this process's to wait for.
_ATTEMPTS = 50
_PAUSE_S = 0.1


class Janitor:
    """Removes all that matches *patterns*, when told or once this process is gone.

    A killed process clears nothing up, so another one waits for the end of a pipe that only this
    process holds, which the kernel closes. It leads a session: Ctrl-C does not reach it.
    """

    def __init__(self, *patterns: str) -> None:
        """Start to watch; *patterns* are absolute, as ``glob`` reads them."""
        self._patterns = patterns
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, *patterns],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Process id of the one that waits, and id of its session."""
        return self._process.pid

    def clean(self) -> None:
        """Remove everything now, and wait for nothing more; a second call does nothing new."""
        sweep(self._patterns)
        self._process.communicate()


def sweep(patterns: tuple[str, ...]) -> bool:
    """Remove what matches *patterns*, folders with all they hold; return whether all is gone."""
    for path in _matching(patterns):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return not _matching(patterns)


def _matching(patterns: tuple[str, ...]) -> list[Path]:
    return [Path(found) for pattern in patterns for found in glob.glob(pattern)]  # noqa: PTH207 - absolute patterns


def _wait_and_sweep(patterns: tuple[str, ...]) -> None:
    """Sweep again while children that die with their parent may still write."""
    sys.stdin.read()
    for _ in range(_ATTEMPTS):
        if sweep(patterns):
            return
        time.sleep(_PAUSE_S)  # bounded by _ATTEMPTS; nothing tells when the last writer is gone


if __name__ == "__main__":
    _wait_and_sweep(tuple(sys.argv[1:]))
