"""Croston's method and what became of it, for demand that is mostly zero, by statsforecast.

Both forecast one number, the mean: it stands at every level.
"""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

import numpy as np

from stream.evaluation.forecast_quality import Quantiles
from stream.evaluation.series import Series, Steps, Units
from stream.evaluation.steady import at_every_level, best_of

CROSTON, TSB = "Croston", "TSB"
#: Smoothing of demand and of its probability, of which the best is taken.
_SMOOTHING = (0.05, 0.1, 0.2, 0.3)


class Intermittent:
    """A method of statsforecast, for each series by itself, over its known steps."""

    def __init__(self, name: str, method: object) -> None:
        self.name = name
        self._method = method

    def forecast(self, known: Units, steps: Steps) -> Quantiles:
        """Return the mean that it forecasts, and 0 for what has not sold yet."""
        means = np.zeros((len(known), steps.horizon), dtype=np.float32)
        for mean, row in zip(means, known, strict=True):
            values = row[row >= 0].astype(float)
            if values.any():
                mean[:] = self._method.forecast(y=values, h=steps.horizon)["mean"]  # type: ignore[attr-defined]
        return at_every_level(means.clip(min=0))


def croston() -> Intermittent:
    """Return Croston (1972): the mean of what sells, over the mean time between sales."""
    return Intermittent(CROSTON, _methods().CrostonClassic())


def best_tsb(series: Series) -> Intermittent:
    """Return Teunter, Syntetos and Babai (2011), which fades where nothing sells.

    Its smoothing is the one that did best before what is held out.
    """
    methods = _methods()
    return best_of([Intermittent(TSB, methods.TSB(each, each)) for each in _SMOOTHING], series)


def is_installed() -> bool:
    """Whether statsforecast is there: it is heavy, and nothing but an evaluation needs it."""
    return importlib.util.find_spec("statsforecast") is not None


def _methods() -> ModuleType:
    return importlib.import_module("statsforecast.models")
