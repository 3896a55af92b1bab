"""Our policy: the served network's forecast, made anew at each review, and what our alerts say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import torch

from stream.domain.demand import weekday_of
from stream.evaluation.forecast_quality import Quantiles
from stream.evaluation.series import UNKNOWN, Units
from stream.evaluation.shelf_decisions import orders_at
from stream.evaluation.shop import Counts, Flags, Shop
from stream.evaluation.warehouse import Seen
from stream.model_specs import HISTORY_DAYS, HORIZON_DAYS, QUANTILES
from stream.models.forecaster import SETTINGS
from stream.models.progress import Pace, Progress, silent
from stream.models.quantile_fitting import fit_quantiles
from stream.models.served.forecaster.network import DemandQuantiles

_NORMAL = NormalDist()

# What follows was chosen on the 90 days before the test, learning from what is before those.

N_STEPS = 1_500
#: Networks that differ in their seed; the mean of their quantiles is the forecast.
N_NETWORKS = 1
#: What a normal distribution of all of a product's own past weighs beside the network, which reads
#: the last weeks only.
_OWN_PAST = 0.5
#: What the latest forecast weighs beside those of the days before: an order-up-to level that moves
#: from day to day orders in waves, and the crests lie on the shelf.
_LATEST = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What was learnt from all that is before the test.

    Attributes:
        past: ``float32[product, day]``: units, -1 before the first sale.
        own_past: ``float32[product, horizon, quantile]``, as ``normal_quantiles`` gives them.
    """

    networks: tuple[DemandQuantiles, ...]
    past: Units
    own_past: Quantiles

    def forecast(self, known: Units, weekday: int) -> Quantiles:
        """Return the cumulative quantiles of the days from *weekday* on.

        Args:
            known: ``float32[product, HISTORY_DAYS]``, -1 where unknown.
        """
        demand, ahead = torch.from_numpy(known), torch.full((len(known),), weekday)
        with torch.inference_mode():
            total = sum(network(demand, ahead).numpy() for network in self.networks)
        mixed: Quantiles = (1 - _OWN_PAST) / len(self.networks) * total + _OWN_PAST * self.own_past
        return mixed


def fitted(shop: Shop, *, seed: int, n_steps: int = N_STEPS, progress: Progress = silent) -> Fitted:
    """Learn from all that is before the test; a seed has one answer.

    A closed day is a day without sales: lead times go on over it, and the network learns weekdays.
    """
    past = known_of(shop.units[:, : shop.test_from])
    networks = []
    for at in range(N_NETWORKS):

        def told(stage: str, share: float, at: int = at) -> None:
            progress(stage, (at + share) / N_NETWORKS)

        pace = Pace(shop.name, n_steps, math.inf, told)
        networks.append(
            fit_quantiles(
                past, shop.first_weekday, SETTINGS, pace=pace, seed=seed * N_NETWORKS + at
            )
        )
    return Fitted(tuple(networks), past, normal_quantiles(past.clip(min=0)))


def normal_quantiles(past: Units) -> Quantiles:
    """Return cumulative quantiles for days that are independent, and like those of the past.

    Returns:
        ``float32[product, HORIZON_DAYS, quantile]``, no less than 0.
    """
    days = np.arange(1, HORIZON_DAYS + 1)[:, None]
    scores = [_NORMAL.inv_cdf(level) for level in QUANTILES]
    mean, deviation = past.mean(axis=1), past.std(axis=1)
    spread = deviation[:, None, None] * np.sqrt(days) * scores
    quantiles: Quantiles = np.maximum(mean[:, None, None] * days + spread, 0).astype(np.float32)
    return quantiles


def known_of(units: Counts) -> Units:
    """Return *units* with -1 before the first sale of each product."""
    known = units.astype(np.float32)
    known[np.arange(units.shape[1]) < (units > 0).argmax(axis=1)[:, None]] = UNKNOWN
    return known


class Alerted:
    """Orders what our alerts suggest.

    Args:
        first: First day of the replay; what sold before is known.
        service_level: Share of cases in which a shelf must last.
    """

    def __init__(
        self, shop: Shop, learnt: Fitted, lead_days: int, *, first: int, service_level: float
    ) -> None:
        self._learnt = learnt
        self._lead_days = lead_days
        self._service_level = service_level
        self._first_day = shop.first_day
        self._known = learnt.past[:, :first]
        self._forecast: Quantiles | None = None
        self._tomorrow: Units | None = None

    def orders(self, seen: Seen) -> Counts:
        """Return what is suggested from what this policy has sold, and nothing else."""
        self._note(seen)
        weekday = weekday_of(self._first_day + seen.today + 1)
        latest = self._learnt.forecast(self._known[:, -HISTORY_DAYS:], weekday)
        self._tomorrow = latest[:, 0]
        before = latest if self._forecast is None else self._forecast
        self._forecast = before + np.float32(_LATEST) * (latest - before)
        return orders_at(
            self._forecast, seen.position, self._lead_days, service_level=self._service_level
        )

    def _note(self, seen: Seen) -> None:
        """Take in the days since the last review: closed ones, on which nothing sold, and today."""
        new = seen.sold[:, self._known.shape[1] :].astype(np.float32)
        if self._tomorrow is not None:
            new[:, -1] = wanted_at_least(new[:, -1], seen.ran_out[:, -1], self._tomorrow)
        self._known = np.concatenate((self._known, new), axis=1)


def wanted_at_least(sold: Units, ran_out: Flags, quantiles: Quantiles) -> Units:
    """Return what was likely wanted on a day: what sold, unless the shelf ran out.

    Then more may have been wanted, and what sold teaches too little. It is taken for the mean of the
    quantiles that were forecast for the day and are not below what sold.

    Args:
        sold: ``float32[product]``.
        ran_out: ``bool[product]``.
        quantiles: ``float32[product, quantile]``.
    """
    is_possible = quantiles >= sold[:, None]
    n_possible = is_possible.sum(axis=1)
    mean = (quantiles * is_possible).sum(axis=1) / np.maximum(n_possible, 1)
    wanted: Units = np.where(ran_out & (n_possible > 0), mean, sold).astype(np.float32)
    return wanted
