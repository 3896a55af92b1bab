"""Waiting for a condition, within a bound."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")

_POLL_S = 0.02


def until(
    condition: Callable[[], Answer],
    claim: str,
    *,
    within_s: float = 30.0,
    otherwise: Callable[[], object] = lambda: "",
) -> Answer:
    """Ask *condition* until it answers with something true, and return that.

    Raises:
        AssertionError: It did not in *within_s*; says the *claim*, and what *otherwise* returns.
    """
    deadline = time.monotonic() + within_s
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Not so within {within_s:g} s: {claim}. {otherwise()}")
        # The condition is a broker's, a server's or another process's: none tells when it comes true.
        time.sleep(_POLL_S)
    return answer
