"""What the brokers that are started on this machine have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from stream.errors import LocalPartMissing
from stream.local.children import Child


class LocalBroker(ABC):
    """One broker on a loopback port, a process of its own that works in a folder."""

    NAME: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        """Prepare a broker that writes what it must into *folder*, its log included."""
        self._folder = folder
        self._port = 0
        self._child: Child | None = None

    @property
    def bootstrap(self) -> str:
        """``host:port``, known once it has started."""
        return f"127.0.0.1:{self._port}"

    @property
    def child(self) -> Child:
        """The process, for whoever watches it."""
        if self._child is None:
            raise LocalPartMissing(f"{self.NAME} has not been started.")
        return self._child

    @property
    def port(self) -> int:
        """The port it listens on, 0 before its first start."""
        return self._port

    @abstractmethod
    def start(self, timeout_s: float = ..., *, port: int | None = None) -> None:
        """Start it on *port*, or on a free one, and return once it answers.

        Raises:
            LocalPartMissing: It cannot run here, it ended, or it gave no answer in time.
        """

    @abstractmethod
    def stop(self, timeout_s: float = ...) -> None:
        """End it; a second call does nothing."""
