"""How training tells how far it is, and how long it may go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

#: Called with the stage's name and the share of it that is done, 0 to 1.
Progress = Callable[[str, float], None]

#: The first steps are slower than the rest: allocators and threads start.
_FIRST_MEASURED, _LAST_MEASURED = 10, 30
_STEPS_PER_REPORT = 20
#: A machine that becomes busy stops at this many times the time it was given.
_PATIENCE = 1.5


def silent(_stage: str, _share: float) -> None:
    """Tell nobody."""


def paced(stage: str, max_steps: int, seconds: float, progress: Progress) -> Iterator[float]:
    """Yield, before each step, the share of the training that is done, 0 to 1.

    The first steps are timed, and from then on the number of steps is fixed: as many as fit into
    *seconds*, at most *max_steps*. So a schedule that goes by the share ends where it should, on
    a slow machine too, and where time is ample the result depends on the seed only.
    """
    started = measured_from = time.perf_counter()
    n_steps, step = max_steps, 0
    progress(stage, 0.0)
    while step < n_steps:
        yield step / n_steps
        step += 1
        now = time.perf_counter()
        if step == _FIRST_MEASURED:
            measured_from = now
        if step == _LAST_MEASURED:
            step_s = (now - measured_from) / (_LAST_MEASURED - _FIRST_MEASURED)
            left = max(1.0, (seconds - (now - started)) / step_s)
            n_steps = min(max_steps, step + int(left))
        if step % _STEPS_PER_REPORT == 0:
            progress(stage, step / n_steps)
        if step > _LAST_MEASURED and now - started > _PATIENCE * seconds:
            break
    progress(stage, 1.0)
