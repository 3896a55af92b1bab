"""Finds the setting at which a policy keeps as much stock as another: what is lost alone then tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

#: How far from the stock that is asked for a policy may be, as a share of it.
TOLERANCE = 0.01
#: Closer than that nothing is gained: orders are whole units.
_GOOD_ENOUGH = 0.003
_MAX_TRIES = 14
#: First step of the search for an end that is on the other side; it doubles.
_STEP = 0.25

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Tried(Generic[Found]):
    """A setting, the value it came to, and what else came of it."""

    setting: float
    value: float
    found: Found

    def misses(self, target: float) -> float:
        return abs(self.value - target)


def reach(
    target: float,
    trial: Callable[[float], tuple[float, Found]],
    *,
    within: tuple[float, float],
    first: float,
) -> Tried[Found]:
    """Return the setting whose value is nearest to *target*, of those tried from *first* on.

    Args:
        trial: Returns the value of a setting, which rises with it but for noise, and what else came.
        within: The lowest and the highest setting.
    """
    below: Tried[Found] | None = None
    above: Tried[Found] | None = None
    low, high = within
    best = tried = Tried(first, *trial(first))
    for n_tries in range(1, _MAX_TRIES):
        if tried.misses(target) <= _GOOD_ENOUGH * target:
            break
        if tried.value < target:
            below, low = tried, tried.setting
        else:
            above, high = tried, tried.setting
        if below is not None and above is not None:
            setting = _between(below, above, target)
        else:
            step = _STEP * 2.0**n_tries
            setting = max(low, high - step) if below is None else min(high, low + step)
        if setting in (tried.setting, best.setting):
            break
        tried = Tried(setting, *trial(setting))
        best = min(best, tried, key=lambda each: each.misses(target))
    return best


def _between(below: Tried[Found], above: Tried[Found], target: float) -> float:
    """Return where the straight line through both meets *target*, well inside them."""
    rise = above.value - below.value
    share = (target - below.value) / rise if rise > 0 else 0.5
    return below.setting + (above.setting - below.setting) * min(0.85, max(0.15, share))
