"""How often a client may say the same: at once, then every few seconds, and how much was left out.

While a broker is down its clients tell of every attempt, some 65 lines a second of each worker.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

#: Between two lines of one kind.
PERIOD_S = 5.0
#: So many kinds are told apart; beyond them those of one text are one, and then those of one logger:
#: texts and arguments may hold offsets and the like, without end.
_MAX_KINDS = 64
_N_OF_LOGGER, _N_OF_TEXT = 2, 3
#: Of an argument; more of it is not what tells two lines apart.
_MAX_GIST_CHARS = 200
_LEFT_OUT = "n_left_out"

Kind = tuple[object, ...]


@dataclass(slots=True)
class _Told:
    """One kind of line: when it was let through, and how many were not since."""

    at_s: float
    n_left_out: int = 0


class RepeatsLeftOut(logging.Filter):
    """Lets a line of *loggers*, or of any below them, through unless one like it just was.

    Lines are alike when logger, level and text agree, and the arguments: of an error or a time to
    wait only the class, since they may differ each time. So another error, or the same of another
    node, is told at once. Only warnings and errors are looked at, and nobody else's. It belongs to
    a handler: the filter of a logger does not see what comes from those below it.
    """

    def __init__(
        self,
        loggers: Collection[str],
        *,
        period_s: float = PERIOD_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._loggers = frozenset(loggers)
        self._period_s = period_s
        self._clock = clock
        self._told: dict[Kind, _Told] = {}
        # Clients run in threads of their own, and a handler filters before it takes its lock.
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether *record* is to be written; tell it how many like it were not."""
        if record.levelno < logging.WARNING or record.name.split(".")[0] not in self._loggers:
            return True
        with self._lock:
            return self._is_due(record, self._clock())

    def _is_due(self, record: logging.LogRecord, now_s: float) -> bool:
        kind = self._known(_kind(record), now_s)
        told = self._told.get(kind)
        if told is not None and now_s - told.at_s < self._period_s:
            told.n_left_out += 1
            return False
        if told is not None and told.n_left_out:
            setattr(record, _LEFT_OUT, told.n_left_out)
        self._told[kind] = _Told(now_s)
        return True

    def _known(self, kind: Kind, now_s: float) -> Kind:
        """Return *kind*, or what it has in common with others when there are too many."""
        if kind in self._told or len(self._told) < _MAX_KINDS:
            return kind
        self._told = {
            known: told for known, told in self._told.items() if now_s - told.at_s < self._period_s
        }
        n_kinds = len(self._told)
        if n_kinds < _MAX_KINDS:
            return kind
        return kind[: _N_OF_TEXT if n_kinds < 2 * _MAX_KINDS else _N_OF_LOGGER]


def _kind(record: logging.LogRecord) -> Kind:
    error = record.exc_info[0] if record.exc_info else None
    arguments = record.args.values() if isinstance(record.args, Mapping) else record.args or ()
    gists = map(_gist, (record.msg, error, *arguments))
    return (record.name, record.levelno, *gists)


def _gist(part: object) -> object:
    varies = isinstance(part, BaseException | float)
    return type(part) if varies else str(part)[:_MAX_GIST_CHARS]


def tell_left_out(_: object, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say in *entry* how many lines like it were left out before, if any were: for structlog."""
    n_left_out = getattr(entry.get("_record"), _LEFT_OUT, None)
    if n_left_out is not None:
        entry[_LEFT_OUT] = n_left_out
    return entry
