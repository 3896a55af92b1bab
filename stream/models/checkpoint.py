"""A training kept on disk now and then, so that one that was stopped can go on."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from stream.errors import Misconfigured

#: Between two writes: little beside what a step takes, and little to do again.
_EVERY_S = 20.0
#: What torch raises for a file that is none of its own, or of another network.
_UNREADABLE = (RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError)


class Checkpoint:
    """One file that holds the last state, whole; without a path it keeps nothing.

    Args:
        every_s: Between two writes, at least.
    """

    def __init__(self, path: Path | None, *, every_s: float = _EVERY_S) -> None:
        self._path = path
        self._every_s = every_s
        self._written_at = time.monotonic()

    def resume(self, take: Callable[[dict[str, Any]], None]) -> None:
        """Hand the state that is kept, if one is, to *take*.

        Raises:
            Misconfigured: It cannot be read, or *take* finds it to be of another training.
        """
        if self._path is None or not self._path.exists():
            return
        try:
            take(torch.load(self._path, weights_only=True))
        except _UNREADABLE as error:
            raise Misconfigured(
                f"{self._path}: expected a training of this model, as it was stopped; remove it to "
                f"begin anew: {error}"
            ) from error

    def keep(self, state: Callable[[], Mapping[str, Any]]) -> None:
        """Write what *state* returns, unless that was done a short while ago."""
        if self._path is None or time.monotonic() - self._written_at < self._every_s:
            return
        partial = self._path.with_suffix(".partial")
        torch.save(dict(state()), partial)
        partial.replace(self._path)
        self._written_at = time.monotonic()
