"""Quantiles of what is counted, as numbers between the counts.

A count jumps over most levels: no whole number is reached with a probability of exactly 0.9. So each
count stands for the numbers that round to it, none below 0, evenly: 0 for those up to 0.5, 1 for those
from 0.5 to 1.5. What is spread so has a quantile at each level (Machado and Santos Silva 2005,
"Quantiles for Counts", equation 3, which spreads over the numbers above), rounding gives back the
count's, and whether a level was reached is answered with a probability, as in the randomised
probability integral transform (Czado, Gneiting and Held 2009, "Predictive Model Assessment for
Count Data", section 2.1): one that is calibrated holds a level q of the time, exactly.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stream.model_specs import QUANTILES

_LEVELS = np.array(QUANTILES)

Quantiles = NDArray[np.float32]
Units = NDArray[np.float32]
Shares = NDArray[np.float64]


def spread(units: Tensor) -> Tensor:
    """Return a number of those that each count stands for, drawn from torch's generator."""
    return (units + torch.rand_like(units) - 0.5).abs()


def held(forecast: Quantiles, units: Units) -> Shares:
    """Return the probability that *units*, spread, are no more than each quantile.

    Args:
        forecast: ``float32[..., quantile]``, as ``spread`` has them or whole; never falling.
        units: ``float32[...]``, whole, from 0.

    Returns:
        ``float64[..., quantile]``; where forecasts are calibrated its mean is the level.
    """
    low = np.maximum(units - 0.5, 0)[..., None]
    width = units[..., None] + 0.5 - low
    reached: Shares = np.clip((untied(forecast) - low) / width, 0, 1)
    return reached


def untied(forecast: Quantiles) -> Shares:
    """Return *forecast* with levels that tie on a whole number spread over what it stands for.

    Whole quantiles do not say where between the levels a count begins and ends: midway, it is taken.
    """
    middles = (_LEVELS[:-1] + _LEVELS[1:]) / 2
    edges = np.concatenate(([_LEVELS[0] / 2], middles, [(1 + _LEVELS[-1]) / 2]))
    is_whole = forecast == np.rint(forecast)
    starts = np.diff(forecast, axis=-1, prepend=-1) != 0
    ends = np.diff(forecast, axis=-1, append=np.inf) != 0
    begun = np.maximum.accumulate(np.where(starts, edges[:-1], 0), axis=-1)
    ended = np.minimum.accumulate(np.where(ends, edges[1:], 1)[..., ::-1], axis=-1)[..., ::-1]
    begun = np.where(forecast == 0, 0, begun)
    low = np.maximum(forecast - 0.5, 0)
    place = low + (forecast + 0.5 - low) * (_LEVELS - begun) / (ended - begun)
    spaced: Shares = np.where(is_whole, place, forecast)
    return spaced
