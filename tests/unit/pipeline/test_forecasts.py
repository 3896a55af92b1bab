"""What the forecaster is asked about a product."""

from __future__ import annotations

import numpy as np

from stream.domain.calendar import Calendar
from stream.domain.products import Product
from stream.model_specs import FORECASTER, HISTORY_DAYS, OPEN, PRICE
from stream.pipeline.forecasts import Forecaster, days_around
from stream.ports import Tensors
from tests.unit.pipeline.fakes import Model

TODAY = 20_000


async def test_a_request_has_what_the_specification_says() -> None:
    asked: list[Tensors] = []
    forecaster = Forecaster(Model(asked.append))
    forecaster.version = "1"

    await forecaster.forecast([Product("jam"), Product("milk")], TODAY)

    [inputs] = asked
    assert {name: tensor.shape[1:] for name, tensor in inputs.items()} == {
        tensor.name: tensor.shape for tensor in FORECASTER.inputs
    }
    assert inputs["days"].dtype == np.float32


def test_days_closed_are_told_behind_and_ahead_and_prices_are_the_usual_ones() -> None:
    days = days_around(TODAY, Calendar(closed_days=[TODAY - 1, TODAY + 2]))

    assert np.flatnonzero(days[:, OPEN] == 0).tolist() == [HISTORY_DAYS - 2, HISTORY_DAYS + 1]
    assert not days[:, PRICE].any()
