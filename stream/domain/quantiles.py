"""Any service level from the quantiles that a forecast has."""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from stream.model_specs import QUANTILES

_NORMAL = NormalDist()
_SCORES = np.array([_NORMAL.inv_cdf(level) for level in QUANTILES])


def at_level(quantiles: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    """Return what is reached with probability *level*, between the levels and beyond them.

    Straight over the normal score of the level, between two quantiles and on past the last two, so
    that the answer is what a normal demand would give; never below 0. A tail that is longer than a
    normal one is cut short beyond P90.

    Args:
        quantiles: ``float32[..., len(QUANTILES)]``, never falling along the last axis.
        level: Above 0 and below 1.

    Returns:
        ``float32[...]``, never falling as *level* rises.
    """
    right, share = _place_of(level)
    below, above = quantiles[..., right - 1], quantiles[..., right]
    return np.maximum(below + share * (above - below), np.float32(0))


@lru_cache(maxsize=64)
def _place_of(level: float) -> tuple[int, np.float32]:
    """Return the quantile to the right of *level*, and how far from the left one to it that is."""
    score = _NORMAL.inv_cdf(level)
    right = int(np.clip(np.searchsorted(_SCORES, score), 1, len(_SCORES) - 1))
    low, high = _SCORES[right - 1], _SCORES[right]
    return right, np.float32((score - low) / (high - low))
