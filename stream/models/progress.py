"""How training tells how far it is, and how long it may go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

#: Called with the stage's name and the share of it that is done, 0 to 1.
Progress = Callable[[str, float], None]

_STEPS_PER_REPORT = 20


def silent(_stage: str, _share: float) -> None:
    """Tell nobody."""


class Pace:
    """Steps of a training that ends after so many, or so much time, whichever comes first.

    A learning rate that goes by the share that is done so comes to its end on a slow machine too;
    where time is ample, the share, and with it the result, does not depend on the clock.

    Attributes:
        n_steps: That were made; those of a training that goes on are given.
        spent_s: On them.
    """

    def __init__(self, stage: str, max_steps: int, seconds: float, progress: Progress) -> None:
        self._stage = stage
        self._max_steps = max_steps
        self._seconds = seconds
        self._progress = progress
        self.n_steps = 0
        self.spent_s = 0.0

    def __iter__(self) -> Iterator[float]:
        """Yield, before each step, the share of the training that is done, 0 to 1; once at least."""
        began = time.perf_counter() - self.spent_s
        while not self.n_steps or self._share() < 1:
            if self.n_steps % _STEPS_PER_REPORT == 0:
                self._progress(self._stage, self._share())
            yield self._share()
            self.n_steps += 1
            self.spent_s = time.perf_counter() - began
        self._progress(self._stage, 1.0)

    def _share(self) -> float:
        spent = self.spent_s / max(self._seconds, 1e-9)
        return min(1.0, max(self.n_steps / self._max_steps, spent))
