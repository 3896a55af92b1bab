"""Faults of Triton: away, frozen, without its models, or answering nonsense."""

from __future__ import annotations

import os
import signal

import grpc

from stream.bench.faults.scene import MODEL_NAMES, Scene

_AWAY_S = 4.0
_SPOILED_S = 6.0
#: Longer than a worker waits for one request, shorter than what would hold its shutdown up.
_DELAY_S = 3.0


def killed(here: Scene) -> None:
    """``kill -9`` of Triton, which comes back with its models after a while."""
    here.triton.kill()
    here.hold(_AWAY_S)
    here.triton.start(MODEL_NAMES)


def without_models(here: Scene) -> None:
    """Triton comes back with no model loaded: workers load them again."""
    here.triton.kill()
    here.triton.start(())


def frozen(here: Scene) -> None:
    """Triton stands still: connections stay open, nothing is answered."""
    pid = here.triton.child.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        here.hold(_SPOILED_S)
    finally:
        os.kill(pid, signal.SIGCONT)


def errors(here: Scene) -> None:
    """Every inference fails, in one way and in another."""
    try:
        for status in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL):
            here.interposer.fail(status)
            here.hold(_SPOILED_S / 2)
    finally:
        here.interposer.heal()


def slow(here: Scene) -> None:
    """Every inference takes longer than a worker waits."""
    try:
        here.interposer.delay(_DELAY_S)
        here.hold(_SPOILED_S)
    finally:
        here.interposer.heal()


def wrong_shapes(here: Scene) -> None:
    """Every answer has other shapes than it was asked for."""
    try:
        here.interposer.misshape()
        here.hold(_SPOILED_S)
    finally:
        here.interposer.heal()
