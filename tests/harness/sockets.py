"""Where a process listens, as the kernel says (Linux)."""

from __future__ import annotations

import contextlib
import ipaddress
import struct
from collections.abc import Iterator
from pathlib import Path

_LISTEN = "0A"


def addresses_listened_to(pid: int) -> set[str]:
    """Return the local addresses of all TCP sockets on which *pid* accepts connections."""
    inodes = set(_socket_inodes(pid))
    return {address for address, inode in _listeners(pid) if inode in inodes}


def _socket_inodes(pid: int) -> Iterator[str]:
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            target = str(entry.readlink())
            if target.startswith("socket:["):
                yield target[len("socket:[") : -1]


def _listeners(pid: int) -> Iterator[tuple[str, str]]:
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN:
                yield _address(fields[1].partition(":")[0]), fields[9]


def _address(text: str) -> str:
    """Decode the kernel's form: words in the machine's byte order."""
    words = [int(text[i : i + 8], 16) for i in range(0, len(text), 8)]
    return str(ipaddress.ip_address(struct.pack(f"={len(words)}I", *words)))
