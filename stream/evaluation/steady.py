"""The baselines that learn nothing: zero, what sold a season ago, and how much sold of late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from stream.evaluation.forecast_quality import Forecaster, Quantiles, losses_of
from stream.evaluation.series import Series, Steps, Units
from stream.model_specs import QUANTILES
from stream.models.demand_history import UNKNOWN

Each = TypeVar("Each", bound=Forecaster)

EMPIRICAL = "empirical quantiles"
#: Seasons that quantiles are taken over, as far as the history goes.
_SPANS = (1, 2, 4, 8, 12)


class Zeros:
    """Forecasts that nothing sells."""

    name = "all zeros"

    def forecast(self, known: Units, steps: Steps) -> Quantiles:
        """Return zeros."""
        return np.zeros((len(known), steps.horizon, len(QUANTILES)), dtype=np.float32)


class SeasonalNaive:
    """Forecasts what sold in the last known step of the same phase, at every level."""

    name = "seasonal naive"

    def forecast(self, known: Units, steps: Steps) -> Quantiles:
        """Return what sold one season ago, or two where that is unknown, and so on; 0 at last."""
        last = np.full((len(known), steps.season), UNKNOWN, dtype=np.float32)
        for end in range(known.shape[1], steps.season - 1, -steps.season):
            season = known[:, end - steps.season : end]
            last = np.where(last < 0, season, last)
        ahead = np.arange(steps.horizon) % steps.season
        return at_every_level(last[:, ahead].clip(min=0))


@dataclass(frozen=True, slots=True)
class Empirical:
    """Forecasts the quantiles of what sold in each of the last steps; interpolated linearly."""

    n_steps: int
    name: str = EMPIRICAL

    def forecast(self, known: Units, steps: Steps) -> Quantiles:
        """Return the same quantiles for every step ahead; 0 where nothing is known."""
        late = known[:, -self.n_steps :]
        values = np.where(late < 0, np.nan, late)
        values[np.isnan(values).all(axis=1)] = 0
        levels = np.nanquantile(values, QUANTILES, axis=1).T.astype(np.float32)
        return np.repeat(levels[:, None], steps.horizon, axis=1)


def at_every_level(units: Units) -> Quantiles:
    """Return ``float32[series, step]`` as the forecast of one who knows no spread."""
    return np.repeat(units.astype(np.float32)[:, :, None], len(QUANTILES), axis=2)


def best_empirical(series: Series) -> Empirical:
    """Return the empirical quantiles over the span that did best before what is held out."""
    season, history = series.steps.season, series.steps.history
    return best_of([Empirical(n * season) for n in _SPANS if n * season <= history], series)


def best_of(forecasters: Sequence[Each], series: Series) -> Each:
    """Return the one with the least loss over the horizon before the one held out."""
    before = series.earlier()

    def loss(forecaster: Each) -> float:
        forecast = forecaster.forecast(before.known, before.steps)
        return float(losses_of(forecast, before.actual).sum())

    return min(forecasters, key=loss)
