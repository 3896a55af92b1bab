"""Where a store's past is: a file, or its own topics."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stream.moments import moment_ms
from stream.settings import Settings
from stream.training.deeds import Deeds
from stream.training.from_file import read_file
from stream.training.from_topics import LEARNT_FROM, read_topics


class Past(Protocol):
    """A store's past, to be read."""

    @property
    def name(self) -> str:
        """What tells it from others, whatever it holds by now."""

    @property
    def is_lasting(self) -> bool:
        """Whether it holds the same when it is read again."""

    def read(self) -> Deeds:
        """Return all of it.

        Raises:
            StoreStreamError: It cannot be read, or holds nothing.
        """


@dataclass(frozen=True, slots=True)
class PastFile:
    """A Parquet file."""

    path: Path
    is_lasting = True

    @property
    def name(self) -> str:
        """Where it is."""
        return str(self.path.resolve())

    def read(self) -> Deeds:
        """Return what it holds; raises Misconfigured as ``read_file``."""
        return read_file(self.path)


@dataclass(frozen=True, slots=True)
class PastTopics:
    """What a broker holds of what a model learns from.

    Attributes:
        model: Which.
        since: What was appended before is left out; as a person writes it, None takes all.
    """

    settings: Settings
    model: str
    since: str | None
    is_lasting = False

    @property
    def name(self) -> str:
        """Whose topics, and since when."""
        whole = f"topics of {self.settings.bootstrap_servers}"
        return whole if self.since is None else f"{whole} since {self.since}"

    def read(self) -> Deeds:
        """Return what they hold by now, and say how much that is; raises as ``read_topics``."""
        now_ms = int(time.time() * 1000)
        since_ms = None if self.since is None else moment_ms(self.since, now_ms, option="--since")
        topics = LEARNT_FROM[self.model]
        deeds, n_unreadable = asyncio.run(read_topics(self.settings, topics, since_ms=since_ms))
        droughts = f", {len(deeds.droughts):,} droughts" if len(deeds.droughts) else ""
        sys.stderr.write(
            f"{len(deeds):,} acts{droughts} read; {n_unreadable:,} records could not be.\n"
        )
        return deeds
