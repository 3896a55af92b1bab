"""How far quantile forecasts were from what came, over series of very different sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stream.evaluation.series import Series, Steps, Units
from stream.model_specs import QUANTILES
from stream.models.counts import held

_N_RESAMPLED, _SEED = 1_000, 1
_MEDIAN = QUANTILES.index(0.5)

Quantiles = NDArray[np.float32]
_Numbers = NDArray[np.float64]


class Forecaster(Protocol):
    """Forecasts all series at once."""

    @property
    def name(self) -> str: ...

    def forecast(self, known: Units, steps: Steps) -> Quantiles:
        """Return quantiles of the units in each step ahead, ``float32[series, horizon, quantile]``.

        Args:
            known: ``float32[series, step]``, -1 where unknown.
        """
        ...


@dataclass(frozen=True, slots=True)
class Quality:
    """Of one forecaster over the steps held out.

    Attributes:
        wql: Weighted quantile loss; less is better, and all zeros have 1.
        wql_interval: Its 95 % interval, by bootstrap over series.
        mase: Mean absolute scaled error of the median; forecasting zero is rewarded where most
            steps sell nothing, so go by ``wql``.
        n_scaled: Series that have a scale; of these ``mase`` is the mean.
        held: Share of steps that sold no more than each quantile, by ``models.counts.held``: of a
            calibrated forecast the level.
        p90_between: Share of steps that sold less than the P90, and no more than it, without chance.
    """

    wql: float
    wql_interval: tuple[float, float]
    mase: float
    n_scaled: int
    held: tuple[float, ...]
    p90_between: tuple[float, float]


def quality_of(forecast: Quantiles, series: Series) -> Quality:
    """Compare *forecast* with what was held out; unknown steps do not count."""
    losses = losses_of(forecast, series.actual)
    errors, n_scaled = _scaled_errors(forecast[:, :, _MEDIAN], series)
    is_known = series.actual >= 0
    spare = forecast[:, :, -1][is_known] - series.actual[is_known]
    return Quality(
        wql=float(losses.sum() / _units(series).sum()),
        wql_interval=_interval(losses, _units(series)),
        mase=errors,
        n_scaled=n_scaled,
        held=tuple(held(forecast[is_known], series.actual[is_known]).mean(axis=0).tolist()),
        p90_between=(float((spare > 0).mean()), float((spare >= 0).mean())),
    )


def above(forecast: Quantiles, ours: Quantiles, series: Series) -> tuple[float, float]:
    """Return the 95 % interval of the loss of *forecast* less that of *ours*, series by series.

    Both are of the same series, so this is narrower than what the two intervals leave open.
    """
    more = losses_of(forecast, series.actual) - losses_of(ours, series.actual)
    return _interval(more, _units(series))


def losses_of(forecast: Quantiles, actual: Units) -> _Numbers:
    """Return twice the quantile loss of each series, summed over steps, mean over the levels.

    Over the units that came it is the weighted quantile loss of GluonTS's
    ``mean_weighted_sum_quantile_loss`` and of Chronos (Ansari et al. 2024, appendix D).
    """
    levels = np.array(QUANTILES)
    missing = actual[:, :, None].astype(float) - forecast
    loss = 2 * np.maximum(levels * missing, (levels - 1) * missing)
    total: _Numbers = np.where(actual >= 0, loss.mean(axis=2), 0.0).sum(axis=1)
    return total


def _scaled_errors(median: Units, series: Series) -> tuple[float, int]:
    """Return the mean over series of the mean absolute error to that of the seasonal naive.

    The latter is taken over what is known (Hyndman and Koehler 2006); a series without one, since
    each season repeats the last, has no scale.
    """
    season = series.steps.season
    scale = _mean_error(series.known[:, season:], series.known[:, :-season])
    error = _mean_error(series.actual, median)
    has_scale = (scale > 0) & np.isfinite(error)
    return float((error[has_scale] / scale[has_scale]).mean()), int(has_scale.sum())


def _mean_error(actual: Units, forecast: Units) -> _Numbers:
    """Return the mean absolute difference by row where both are known; NaN where none is."""
    both = (actual >= 0) & (forecast >= 0)
    total = np.where(both, np.abs(actual.astype(float) - forecast), 0.0).sum(axis=1)
    n_both = both.sum(axis=1)
    return np.divide(total, n_both, out=np.full(len(total), np.nan), where=n_both > 0)


def _units(series: Series) -> _Numbers:
    units: _Numbers = series.actual.clip(min=0).sum(axis=1, dtype=float)
    return units


def _interval(losses: _Numbers, units: _Numbers) -> tuple[float, float]:
    draw = np.random.default_rng(_SEED)
    ratios = []
    for _ in range(_N_RESAMPLED):
        drawn = draw.integers(0, len(losses), len(losses))
        ratios.append(losses[drawn].sum() / max(units[drawn].sum(), 1e-9))
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(low), float(high)
