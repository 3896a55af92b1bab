"""What our processes hold, and what of it is still there after they were stopped (Linux)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
#: Triton's Python backend would make a folder here, whatever it is told; ours must not.
_TEMPORARY = Path("/tmp")  # noqa: S108 - read, not written
_LISTEN = "0A"
_SESSION_FIELD = 3


@dataclass(frozen=True, slots=True)
class Footprint:
    """Taken while the processes run.

    Attributes:
        sessions: Ids of the sessions that our children lead.
        ports: TCP ports they listen on.
        paths: Temporary folders and files of shared memory.
    """

    sessions: frozenset[int]
    ports: frozenset[int]
    paths: frozenset[Path]

    def remaining(self) -> list[str]:
        """What is still there, for a person to read; empty when all is gone."""
        listening = {port for port, _ in _listeners()}
        return [
            *(f"process {pid} ({_name(pid)})" for pid in _members(self.sessions)),
            *(f"port {port}" for port in sorted(self.ports & listening)),
            *(str(path) for path in sorted(self.paths) if path.exists()),
        ]


def footprint_of(sessions: frozenset[int], folder: Path, *, since: float) -> Footprint:
    """What the processes of *sessions* hold now, and *folder*, which is theirs.

    Args:
        since: Seconds since the Unix epoch. Folders that Triton is known to make elsewhere do not
            say whose they are; those that are no older count as theirs.
    """
    inodes: set[str] = set()
    shared: set[Path] = set()
    for pid in _members(sessions):
        inodes.update(_sockets(pid))
        shared.update(_shared_memory(pid))
    ports = frozenset(port for port, inode in _listeners() if inode in inodes)
    return Footprint(sessions, ports, frozenset((folder, *shared, *_backend_folders(since))))


def _backend_folders(since: float) -> Iterator[Path]:
    for folder in _TEMPORARY.glob("python_env_*"):
        with suppress(FileNotFoundError):
            made = folder.stat()
            if made.st_uid == os.getuid() and made.st_mtime >= since:
                yield folder


def _members(sessions: frozenset[int]) -> list[int]:
    return [pid for pid in _pids() if _session(pid) in sessions]


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())


def _session(pid: int) -> int | None:
    """The session of a process; None when it is gone, or dead and only waiting to be reaped."""
    stat = _text(_PROC / str(pid) / "stat").rpartition(")")[2].split()
    return int(stat[_SESSION_FIELD]) if stat and stat[0] != "Z" else None


def _name(pid: int) -> str:
    return _text(_PROC / str(pid) / "comm").strip() or "gone meanwhile"


def _sockets(pid: int) -> Iterator[str]:
    try:
        descriptors = list((_PROC / str(pid) / "fd").iterdir())
    except OSError:
        return
    for descriptor in descriptors:
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target.removeprefix("socket:[").removesuffix("]")


def _shared_memory(pid: int) -> Iterator[Path]:
    for line in _text(_PROC / str(pid) / "maps").splitlines():
        _, _, path = line.partition("/dev/shm/")  # noqa: S108 - read, not written
        if path and not path.endswith("(deleted)"):
            yield Path(os.sep, "dev", "shm", path)


def _listeners() -> Iterator[tuple[int, str]]:
    """Port and inode of every listening TCP socket: proc(5), ``/proc/net/tcp``."""
    for table in ("tcp", "tcp6"):
        for line in _text(_PROC / "net" / table).splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN:
                yield int(fields[1].rpartition(":")[2], 16), fields[9]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
