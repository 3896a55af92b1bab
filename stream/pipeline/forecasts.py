"""Cumulative demand for a micro-batch of products, from the model or from their own past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import structlog
from numpy.typing import NDArray

from stream.domain.calendar import UTC_DAYS, Calendar, weekday_of
from stream.domain.demand import empirical_quantiles
from stream.domain.prices import prices_around
from stream.domain.products import Product, past_demand
from stream.domain.stock import Forecast
from stream.errors import InferenceUnavailable
from stream.model_specs import (
    FORECASTER,
    HISTORY_DAYS,
    HORIZON_DAYS,
    N_DAY_CHANNELS,
    OPEN,
    PRICE,
)
from stream.pipeline.scoring import infer_rows
from stream.ports import Inference, Tensors

log = structlog.get_logger(__name__)

Window = NDArray[np.float32]
Days = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Forecasted:
    """What is expected of one product, and by whom.

    ``cumulative`` is ``float32[HORIZON_DAYS, len(QUANTILES)]``.
    """

    source: Forecast
    cumulative: NDArray[np.float32]


def from_own_past(window: Window, opening: NDArray[np.bool_]) -> Forecasted:
    """Return the empirical quantiles of *window*: the answer while the model gives none.

    *opening* is ``bool[HORIZON_DAYS]``: whether the store sells on the days ahead.
    """
    source = Forecast("empirical_quantiles", "", degraded=True)
    return Forecasted(source, empirical_quantiles(window, opening))


class Row(NamedTuple):
    """What a forecast is made from: what was wanted of a product, and what is known of the days.

    Attributes:
        demand: ``float32[PAST_DAYS]``.
    """

    demand: Window
    days: Days

    def by_itself(self) -> Forecasted:
        """Return the answer without a model."""
        return from_own_past(self.demand[-HISTORY_DAYS:], self.opening)

    @property
    def opening(self) -> NDArray[np.bool_]:
        """Whether the store sells on the days ahead, ``bool[HORIZON_DAYS]``."""
        return self.days[HISTORY_DAYS:, OPEN] > 0


def days_around(today: int, calendar: Calendar) -> Days:
    """Return what is known of the days of a window and of those ahead.

    Returns:
        ``float32[HISTORY_DAYS + HORIZON_DAYS, N_DAY_CHANNELS]``, as the forecaster's ``days``; the
        day after *today* is at ``HISTORY_DAYS``. Prices are unknown: see ``with_prices``.
    """
    days = np.zeros((HISTORY_DAYS + HORIZON_DAYS, N_DAY_CHANNELS), np.float32)
    days[:, OPEN] = calendar.opening(today - HISTORY_DAYS + 1, len(days))
    return days


def with_prices(
    days: Days, products: Sequence[Product], pasts: Sequence[Window], today: int
) -> Days:
    """Return *days* for each of *products*, which wanted *pasts*, with what is known of its prices.

    Returns:
        ``float32[product, HISTORY_DAYS + HORIZON_DAYS, N_DAY_CHANNELS]``.
    """
    priced = np.repeat(days[None], len(products), axis=0)
    if any(each.plans for each in products):
        paid, plans = [each.paid for each in products], [each.plans for each in products]
        sold = np.stack([past[-HISTORY_DAYS:] for past in pasts])
        priced[:, :, PRICE] = prices_around(paid, plans, sold, today)
    return priced


class Forecaster:
    """Asks the forecaster of the version in use.

    ``version`` is empty until the server has told it; until then every forecast is degraded.
    """

    def __init__(self, inference: Inference, calendar: Calendar = UTC_DAYS) -> None:
        self._inference = inference
        self._calendar = calendar
        self.version = ""

    async def forecast(self, products: Sequence[Product], today: int) -> list[Forecasted]:
        """Return what each of *products* will be wanted over the days after *today*.

        A product that the model refuses, or answers with what is no number, gets the quantiles of
        its own past: its events were folded and a planner must hear of it all the same.
        """
        pasts = [past_demand(each, today, self._calendar) for each in products]
        days = with_prices(days_around(today, self._calendar), products, pasts, today)
        rows = [Row(*each) for each in zip(pasts, days, strict=True)]
        if self.version:
            try:
                return await self._ask(rows, weekday_of(today + 1))
            except InferenceUnavailable:
                pass
        return [row.by_itself() for row in rows]

    async def _ask(self, rows: Sequence[Row], weekday: int) -> list[Forecasted]:
        def encode(some: Sequence[Row]) -> Tensors:
            return {
                "demand": np.stack([row.demand for row in some]),
                "weekday": np.full((len(some), 1), weekday, np.int64),
                "days": np.stack([row.days for row in some]),
            }

        source = Forecast(FORECASTER.name, self.version)
        outputs, accepted, refused = await infer_rows(
            self._inference, FORECASTER, source.version, rows, encode=encode
        )
        answered = dict(zip(accepted, outputs.get("cumulative", ()), strict=True))
        usable = {i: answer for i, answer in answered.items() if np.isfinite(answer).all()}
        if refused or len(usable) < len(answered):
            log.warning(
                "forecasts_from_own_past",
                refused=len(refused),
                not_finite=len(answered) - len(usable),
            )
        return [
            Forecasted(source, usable[i]) if i in usable else row.by_itself()
            for i, row in enumerate(rows)
        ]
