"""Faults of the input: some of it is no event at all."""

from __future__ import annotations

from stream.bench.faults.scene import Scene

_BAD_SHARE = 0.1
_SECONDS = 8.0


def poison(here: Scene) -> None:
    """One record in ten is bad, of every kind; each must become one dead letter."""
    try:
        _spoil(here, _BAD_SHARE)
        here.hold(_SECONDS)
    finally:
        _spoil(here, 0.0)


def _spoil(here: Scene, share: float) -> None:
    here.traffic.ask(lambda _, load: load.spoil(share))
