"""Moves the levels of a fitted network to where windows that it has not seen had them.

What came has a place in its forecast: a normal score, along which quantiles are joined by straight
lines, and go on past the last. Were forecasts calibrated, the share q of windows would be below the
score of level q. The score that the share q *is* below is what level q moves to (a split conformal
quantile; Romano, Patterson and Candès 2019, "Conformalized Quantile Regression", with the score in
place of the units, so that large sellers and small ones are moved alike). All scores rise with their
level, so quantiles cannot cross. Scores of all windows are taken together: that some weeks sell more of
everything than others is part of what may come. Of few products little is learnt so.

It is done once with the products as they are, and once as if each were new.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import torch
from numpy.typing import NDArray

from stream.model_specs import QUANTILES
from stream.models.counts import spread
from stream.models.demand_windows import Windows, as_if_new
from stream.models.served.forecaster.network import KNOWN, NEW, OPEN, PRICE, DemandQuantiles

#: Steps ahead over which the scores of a level are averaged: single ones go up and down by chance.
_N_SMOOTHED = 7
#: Products of which what came is as likely as not a law for others: the windows of one are no more
#: than a few.
_N_PRODUCTS = 20
#: Beyond these, a score says only that it is far out.
_FAR = 3.0
_SCORES = np.array([NormalDist().inv_cdf(level) for level in QUANTILES])

Numbers = NDArray[np.float64]


def calibrate(network: DemandQuantiles, windows: Windows, starts: Sequence[int]) -> None:
    """Move the levels of *network* by what came in the windows that begin at *starts*.

    As many open steps ahead as no window has go by those before them, or stay as they are. Prices are
    unknown, as they are where a store plans none.
    """
    known = _levels(network, windows, starts, is_new=False)
    new = _levels(network, windows, starts, is_new=True)
    network.levels[KNOWN], network.levels[NEW] = torch.from_numpy(known), torch.from_numpy(new)


def _levels(
    network: DemandQuantiles, windows: Windows, starts: Sequence[int], *, is_new: bool
) -> NDArray[np.float32]:
    """Return what levels move to, ``[step, from, to]``, by windows that begin at *starts*."""
    found: list[list[Numbers]] = [[] for _ in range(network.horizon)]
    for start in starts:
        for n_open, scores in enumerate(_scores(network, windows, start, is_new=is_new)):
            found[n_open].append(scores)
    moved = np.array([_moved(each) for each in found])
    return np.stack([_mix(each) for each in _smoothed(moved)])


def _moved(scores: list[Numbers]) -> Numbers:
    """Return the scores that levels move to, by those of each start: the less, the fewer products."""
    n_products = max(map(len, scores), default=0)
    if not n_products:
        return _SCORES
    found = np.quantile(np.concatenate(scores), QUANTILES)
    moved: Numbers = _SCORES + n_products / (n_products + _N_PRODUCTS) * (found - _SCORES)
    return moved


@torch.inference_mode()
def _scores(
    network: DemandQuantiles, windows: Windows, start: int, *, is_new: bool
) -> list[Numbers]:
    """Return, for each open step ahead, the scores of the products of which it is known what came."""
    products = np.arange(windows.n_products)
    read, after, _ = windows.cut(products, np.full(windows.n_products, start))
    read.days[:, :, PRICE] = 0
    if is_new:
        read = as_if_new(read, seed=start)
    is_known = after >= 0
    if network.cumulative:
        after, is_known = after.clamp(min=0).cumsum(dim=1), is_known.cumprod(dim=1) > 0
    forecast = network(*read).numpy().astype(np.float64)
    came = spread(after.clamp(min=0)).numpy().astype(np.float64)
    is_open = (read.days[:, -network.horizon :, OPEN] > 0).any(dim=0)
    return [
        _placed(forecast[known, step], came[known, step])
        for step, known in enumerate(is_known.numpy().T)
        if is_open[step]
    ]


def _placed(forecast: Numbers, came: Numbers) -> Numbers:
    """Return the normal scores of *came*, ``float64[row]``, among ``float64[row, quantile]``."""
    rows = np.arange(len(came))
    left = np.clip((forecast <= came[:, None]).sum(axis=1) - 1, 0, len(_SCORES) - 2)
    low, high = forecast[rows, left], forecast[rows, left + 1]
    between = (came - low) / np.maximum(high - low, 1e-6)
    scores: Numbers = _SCORES[left] + between * (_SCORES[left + 1] - _SCORES[left])
    return scores.clip(-_FAR, _FAR)


def _smoothed(scores: Numbers) -> Numbers:
    """Return means over steps, of as many on either side as there are."""
    n_steps, reach = len(scores), _N_SMOOTHED // 2
    return np.array(
        [
            scores[step - near : step + near + 1].mean(axis=0)
            for step, near in ((at, min(reach, at, n_steps - 1 - at)) for at in range(n_steps))
        ]
    )


def _mix(scores: Numbers) -> NDArray[np.float32]:
    """Return what the quantile at each of *scores* has of those at the levels, ``[from, to]``."""
    left = np.clip(np.searchsorted(_SCORES, scores, side="right") - 1, 0, len(_SCORES) - 2)
    between = (scores - _SCORES[left]) / (_SCORES[left + 1] - _SCORES[left])
    mix = np.zeros((len(_SCORES), len(scores)), dtype=np.float32)
    to = np.arange(len(scores))
    mix[left, to] = 1 - between
    mix[left + 1, to] = between
    return mix
