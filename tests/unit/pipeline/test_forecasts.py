"""What the forecaster is asked about a product."""

from __future__ import annotations

import numpy as np

from stream.domain.products import Product
from stream.model_specs import FORECASTER, HISTORY_DAYS, OPEN, PRICE
from stream.pipeline.forecasts import Forecaster, days_ahead
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


def test_a_shop_is_taken_to_be_open_and_prices_to_be_as_usual() -> None:
    days = days_ahead(Product("jam"), TODAY)

    assert days[:, OPEN].all()
    assert not days[:, PRICE].any()
    assert len(days) > HISTORY_DAYS
