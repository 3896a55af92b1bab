"""Cumulative demand for a micro-batch of products, from the model or from their own past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from stream.domain.calendar import UTC_DAYS, Calendar, weekday_of
from stream.domain.demand import empirical_quantiles
from stream.domain.products import Product, demand_window
from stream.domain.stock import Forecast
from stream.errors import InferenceUnavailable
from stream.model_specs import FORECASTER, HORIZON_DAYS
from stream.pipeline.scoring import infer_rows
from stream.ports import Inference, Tensors

log = structlog.get_logger(__name__)

Window = NDArray[np.float32]


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
        windows = [demand_window(product, today, self._calendar) for product in products]
        if self.version:
            try:
                return await self._ask(windows, today)
            except InferenceUnavailable:
                pass
        opening = self._calendar.opening(today + 1, HORIZON_DAYS)
        return [from_own_past(window, opening) for window in windows]

    async def _ask(self, windows: Sequence[Window], today: int) -> list[Forecasted]:
        weekday, opening = weekday_of(today + 1), self._calendar.opening(today + 1, HORIZON_DAYS)

        def encode(some: Sequence[Window]) -> Tensors:
            demand: NDArray[Any] = np.stack(some)
            return {"demand": demand, "weekday": np.full((len(some), 1), weekday, np.int64)}

        source = Forecast(FORECASTER.name, self.version)
        outputs, accepted, refused = await infer_rows(
            self._inference, FORECASTER, source.version, windows, encode=encode
        )
        answered = dict(zip(accepted, outputs.get("cumulative", ()), strict=True))
        usable = {i: rows for i, rows in answered.items() if np.isfinite(rows).all()}
        if refused or len(usable) < len(answered):
            log.warning(
                "forecasts_from_own_past",
                refused=len(refused),
                not_finite=len(answered) - len(usable),
            )
        return [
            Forecasted(source, usable[i]) if i in usable else from_own_past(window, opening)
            for i, window in enumerate(windows)
        ]
