"""Our policy: the served network's forecast, made anew at each review, and what our alerts say."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from stream.domain.calendar import weekday_of
from stream.domain.demand import likely_wanted
from stream.evaluation.forecast_quality import Quantiles
from stream.evaluation.series import Units
from stream.evaluation.shelf_decisions import orders_at
from stream.evaluation.shop import Counts, Flags, Shop
from stream.evaluation.warehouse import Seen
from stream.model_specs import HISTORY_DAYS, HORIZON_DAYS, N_DAY_CHANNELS, OPEN, PAST_DAYS
from stream.models.demand_history import UNKNOWN, DemandHistory
from stream.models.forecaster import SETTINGS, fit_calibrated
from stream.models.progress import Pace, Progress, silent
from stream.models.served.forecaster.network import DemandQuantiles

#: Of the training. Chosen on the 90 days before the test, learning from what is before those.
N_STEPS = 1_500


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What was learnt from all that is before the test.

    Attributes:
        past: ``float32[product, day]``: units, -1 before the first sale and where the shop was closed.
        is_open: ``bool[day]``, also of the days to come: a shop knows when it will be closed.
    """

    network: DemandQuantiles
    past: Units
    is_open: Flags

    def forecast(self, known: Units, weekday: int) -> Quantiles:
        """Return the cumulative quantiles of the days after *known*, the first of which is *weekday*.

        As the worker asks the served version.

        Args:
            known: ``float32[product, day]`` from the first day on, -1 where unknown.
        """
        n_days = known.shape[1]
        missing = max(0, PAST_DAYS - n_days)
        demand = np.pad(
            known[:, -PAST_DAYS:], ((0, 0), (missing, 0)), constant_values=np.float32(UNKNOWN)
        )
        around = np.ones(HISTORY_DAYS + HORIZON_DAYS, dtype=bool)
        told = self.is_open[n_days - HISTORY_DAYS : n_days + HORIZON_DAYS]
        around[: len(told)] = told
        days = np.zeros((len(known), len(around), N_DAY_CHANNELS), dtype=np.float32)
        days[:, :, OPEN] = around
        with torch.inference_mode():
            cumulative: Quantiles = self.network(
                torch.from_numpy(demand),
                torch.full((len(known),), weekday),
                torch.from_numpy(days),
            ).numpy()
        return cumulative


def fitted(shop: Shop, *, seed: int, n_steps: int = N_STEPS, progress: Progress = silent) -> Fitted:
    """Learn from all that is before the test, as a version that is to be served; a seed has one answer."""
    past = known_of(shop.units, shop.is_open)[:, : shop.test_from]
    pace = Pace(shop.name, n_steps, math.inf, progress)
    history = DemandHistory.of(past, shop.first_weekday, is_open=shop.is_open[: shop.test_from])
    network = fit_calibrated(history, SETTINGS, pace=pace, seed=seed)
    return Fitted(network, past, shop.is_open)


def known_of(units: Counts, is_open: Flags) -> Units:
    """Return *units* with -1 before the first sale of each product, and where the shop was closed."""
    known = units.astype(np.float32)
    known[np.arange(units.shape[1]) < (units > 0).argmax(axis=1)[:, None]] = UNKNOWN
    known[:, ~is_open[: units.shape[1]]] = UNKNOWN
    return known


class Alerted:
    """Orders what our alerts suggest.

    Args:
        first: First day of the replay; what sold before is known.
        service_level: Share of cases in which a shelf must last.

    Attributes:
        known: ``float32[product, day]``: what it takes for wanted, -1 where unknown.
    """

    def __init__(
        self, shop: Shop, learnt: Fitted, lead_days: int, *, first: int, service_level: float
    ) -> None:
        self._learnt = learnt
        self._lead_days = lead_days
        self._service_level = service_level
        self._first_day = shop.first_day
        self.known = learnt.past[:, :first]
        self._ordinary = self.known >= 0

    def orders(self, seen: Seen) -> Counts:
        """Return what is suggested from what this policy has sold, and nothing else."""
        self._note(seen)
        weekday = weekday_of(self._first_day + seen.today + 1)
        forecast = self._learnt.forecast(self.known, weekday)
        return orders_at(
            forecast, seen.position, self._lead_days, service_level=self._service_level
        )

    def _note(self, seen: Seen) -> None:
        """Take in the days since the last review: closed ones, on which nothing sold, and today."""
        n_before = self.known.shape[1]
        new = seen.sold[:, n_before:].astype(np.float32)
        is_out = seen.ran_out[:, -1]
        late, ordinary = self.known[:, -HISTORY_DAYS:], self._ordinary[:, -HISTORY_DAYS:]
        new[is_out, -1] = likely_wanted(new[is_out, -1], late[is_out], ordinary[is_out])
        new[:, ~self._learnt.is_open[n_before : n_before + new.shape[1]]] = UNKNOWN
        fresh = new >= 0
        fresh[is_out, -1] = False
        self.known = np.concatenate((self.known, new), axis=1)
        self._ordinary = np.concatenate((self._ordinary, fresh), axis=1)
