"""Croston's method and what became of it, for demand that is mostly zero, by statsforecast.

Both forecast one number, the mean: it stands at every level.
"""

from __future__ import annotations

import importlib
from types import ModuleType

import numpy as np

from stream.evaluation.forecast_quality import Forecaster, Quantiles
from stream.evaluation.series import Series, Steps, Units
from stream.evaluation.steady import at_every_level, best_of

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


def intermittent(series: Series) -> tuple[Forecaster, ...]:
    """Return Croston and TSB, the latter's smoothing chosen before what is held out.

    Croston (1972); Teunter, Syntetos and Babai (2011), whose forecast fades where nothing sells.
    Without statsforecast there are none.
    """
    methods = statsforecast()
    if methods is None:
        return ()
    tsb = [Intermittent("TSB", methods.TSB(each, each)) for each in _SMOOTHING]
    return Intermittent("Croston", methods.CrostonClassic()), best_of(tsb, series)


def statsforecast() -> ModuleType | None:
    """Return its methods, or None where it is not installed."""
    try:
        return importlib.import_module("statsforecast.models")
    except ImportError:
        return None
