"""Faults of the connections between workers and brokers, of all of them at once."""

from __future__ import annotations

from stream.bench.faults.scene import Scene

_N_CUTS = 3
_BETWEEN_CUTS_S = 1.0
_SLOW_S = 8.0
_DELAY_S = 0.3
_BYTES_PER_S = 64 * 1024
#: From less than a session to more: a long stall costs the worker its place in the group.
_STALL_S = (3.0, 10.0)
#: The api key of a request to publish, and for how long none gets through: longer than a session.
_PRODUCE = 0
_HELD_S = 12.0


def cut(here: Scene) -> None:
    """Reset every connection, again and again."""
    for _ in range(_N_CUTS):
        for wire in here.wires:
            wire.cut()
        here.hold(_BETWEEN_CUTS_S)


def slowed(here: Scene) -> None:
    """Let little pass, and late."""
    try:
        for wire in here.wires:
            wire.slow(bytes_per_s=_BYTES_PER_S, delay_s=_DELAY_S)
        here.hold(_SLOW_S)
    finally:
        _heal(here)


def stalled(here: Scene) -> None:
    """Let nothing pass, and close nothing."""
    try:
        for wire in here.wires:
            wire.stall()
        here.hold(here.random.uniform(*_STALL_S))
    finally:
        _heal(here)


def producer_queue_full(here: Scene) -> None:
    """Let workers read and say all but what they publish, which piles up behind one request each."""
    try:
        for wire in here.wires:
            wire.hold(_PRODUCE)
        here.hold(_HELD_S)
    finally:
        _heal(here)


def _heal(here: Scene) -> None:
    for wire in here.wires:
        wire.heal()
