"""How training tells how far it is, and how long it may go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

#: Called with the stage's name and the share of it that is done, 0 to 1.
Progress = Callable[[str, float], None]

_STEPS_PER_REPORT = 20


def silent(_stage: str, _share: float) -> None:
    """Tell nobody."""


def paced(stage: str, max_steps: int, seconds: float, progress: Progress) -> Iterator[float]:
    """Yield, before each step, the share of the training that is done, 0 to 1.

    It ends after *max_steps* or *seconds*, whichever comes first, and after one step at least.
    A learning rate that goes by the share so comes to its end on a slow machine too; where time
    is ample, the share, and with it the result, does not depend on the clock.
    """
    started = time.perf_counter()
    step, share = 0, 0.0
    while step == 0 or share < 1:
        if step % _STEPS_PER_REPORT == 0:
            progress(stage, share)
        yield min(share, 1.0)
        step += 1
        spent = (time.perf_counter() - started) / max(seconds, 1e-9)
        share = max(step / max_steps, spent)
    progress(stage, 1.0)
