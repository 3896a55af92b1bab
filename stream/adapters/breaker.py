"""A circuit breaker: after failures in a row stop asking, later let a call find out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """CLOSED: calls pass. OPEN: none does. HALF_OPEN: calls pass, the first result decides."""

    CLOSED = "closed"
    HALF_OPEN = "half open"
    OPEN = "open"


@dataclass(slots=True)
class Breaker:
    """Opens after *n_failures* in a row; *reset_s* later a probe is due.

    It reads no clock: callers say what time it is, in seconds of any monotonic clock.
    """

    n_failures: int
    reset_s: float
    state: State = State.CLOSED
    _failed_in_a_row: int = 0
    _opened_at: float = 0.0

    @property
    def is_open(self) -> bool:
        return self.state is State.OPEN

    def succeeded(self) -> None:
        """Close after an answer; a late one of a call that passed before it opened says little."""
        if not self.is_open:
            self.state = State.CLOSED
            self._failed_in_a_row = 0

    def failed(self, now: float) -> bool:
        """Count a failure of a call, and return whether it opens the breaker.

        One is enough when half open; when open it changes nothing.
        """
        if self.is_open:
            return False
        self._failed_in_a_row += 1
        if self.state is State.HALF_OPEN or self._failed_in_a_row >= self.n_failures:
            self.open(now)
        return self.is_open

    def due_in_s(self, now: float) -> float:
        """Return seconds until a probe is due, 0 when it is."""
        return max(0.0, self._opened_at + self.reset_s - now) if self.is_open else 0.0

    def probed(self, now: float, *, answered: bool) -> None:
        """Take a probe's result: half open, or open for another *reset_s*."""
        if answered:
            self.state = State.HALF_OPEN
        else:
            self.open(now)

    def open(self, now: float) -> None:
        """Open for *reset_s* from *now*, whatever was counted."""
        self.state = State.OPEN
        self._opened_at = now
