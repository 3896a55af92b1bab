"""The forecaster that Triton serves, trained and asked in this process."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch

from stream.evaluation.backtest import served_settings
from stream.evaluation.forecast_quality import Quantiles
from stream.evaluation.series import Steps, Units
from stream.model_specs import QUANTILES
from stream.models.demand_windows import Windows
from stream.models.progress import Pace, Progress, silent
from stream.models.quantile_fitting import fit_quantiles

#: Networks that differ in their seed; the mean of their quantiles is the forecast.
N_NETWORKS = 3
#: Chosen on earlier windows of both data sets.
N_STEPS = 1_500


class Ours:
    """Fits the network to what is known of all series; for each step ahead by itself.

    It ends after so many steps, never by the clock: a seed has one forecast.

    Args:
        n_steps: Of the training of each network.
    """

    name = "storestream"

    def __init__(
        self, *, seed: int = 1, n_steps: int = N_STEPS, progress: Progress = silent
    ) -> None:
        self._seed = seed
        self._n_steps = n_steps
        self._progress = progress

    def forecast(self, known: Units, steps: Steps) -> Quantiles:
        """Return whole units: what sells is counted, and so are the quantiles of it."""
        total = np.zeros((len(known), steps.horizon, len(QUANTILES)), dtype=np.float32)
        for at in range(N_NETWORKS):
            total += self._fitted(known, steps, at)
        whole: Quantiles = np.rint(total / N_NETWORKS)
        return whole

    def _fitted(self, known: Units, steps: Steps, at: int) -> Quantiles:
        def told(stage: str, share: float) -> None:
            self._progress(stage, (at + share) / N_NETWORKS)

        pace = Pace(self.name, self._n_steps, math.inf, told)
        seed = self._seed * N_NETWORKS + at
        past = steps.past(known)
        network = fit_quantiles(past, settings_of(steps), pace=pace, seed=seed)
        with torch.inference_mode():
            answer = network(*Windows(past, network).latest())
        forecast: Quantiles = answer.numpy()
        return forecast


def settings_of(steps: Steps) -> Mapping[str, int]:
    """Return the settings of the served network, but for an answer of each step by itself."""
    return {**served_settings(steps), "cumulative": 0}
