"""What the forecaster is asked about a product, and what it makes of a price."""

from __future__ import annotations

import numpy as np
import torch

from stream.domain.calendar import DAY_MS, UTC_DAYS, Calendar
from stream.domain.prices import relative_prices
from stream.domain.product_folding import apply_level, apply_movement
from stream.domain.products import Product, past_demand
from stream.model_specs import (
    FORECASTER,
    HISTORY_DAYS,
    HORIZON_DAYS,
    N_DAY_CHANNELS,
    OPEN,
    PAST_DAYS,
    PRICE,
    QUANTILES,
    ModelSpec,
)
from stream.models.demand_history import mean_by_day
from stream.models.served.forecaster.network import DemandQuantiles
from stream.pipeline.forecasts import Forecaster, days_around, with_prices
from stream.ports import Tensors
from tests.unit.builders import NOON_MS, TODAY, levels_at, make_movement, make_plan
from tests.unit.pipeline.fakes import Model


class Elastic:
    """A network as it is served, untrained, that expects more of what is cheaper."""

    def __init__(self) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            self._network = DemandQuantiles(
                history=HISTORY_DAYS,
                past=PAST_DAYS,
                horizon=HORIZON_DAYS,
                n_quantiles=len(QUANTILES),
                width=8,
            ).eval()
        torch.nn.init.constant_(self._network.elasticity.bias, -2.0)

    async def infer(self, spec: ModelSpec, version: str, inputs: Tensors) -> Tensors:
        asked = {name: torch.from_numpy(tensor) for name, tensor in inputs.items()}
        with torch.inference_mode():
            answer = self._network(asked["demand"], asked["weekday"][:, 0], asked["days"])
        return {"cumulative": answer.numpy()}


def sold_daily(price: float = 4.0) -> Product:
    """A product of which one was sold on each day that a forecast reads."""
    product = Product("milk")
    for n in range(HISTORY_DAYS):
        at_ms = NOON_MS - (HISTORY_DAYS - 1 - n) * DAY_MS
        product = apply_movement(product, make_movement(n, price=price, occurred_at_ms=at_ms))
    return product


async def test_a_request_has_what_the_specification_says() -> None:
    asked: list[Tensors] = []
    forecaster = Forecaster(Model(asked.append))
    forecaster.version = "1"
    promoted = apply_level(sold_daily(), make_plan(2.0), levels_at(0))

    await forecaster.forecast([Product("jam"), promoted], TODAY)

    [inputs] = asked
    assert {name: tensor.shape[1:] for name, tensor in inputs.items()} == {
        tensor.name: tensor.shape for tensor in FORECASTER.inputs
    }
    assert inputs["days"].dtype == np.float32
    assert not inputs["days"][0, :, PRICE].any()
    assert np.flatnonzero(inputs["days"][1, :, PRICE]).tolist() == [
        *range(HISTORY_DAYS, HISTORY_DAYS + 7)
    ]


def test_days_closed_are_told_behind_and_ahead_and_no_price_is_known_yet() -> None:
    days = days_around(TODAY, Calendar(closed_days=[TODAY - 1, TODAY + 2]))

    assert np.flatnonzero(days[:, OPEN] == 0).tolist() == [HISTORY_DAYS - 2, HISTORY_DAYS + 1]
    assert not days[:, PRICE].any()


def test_prices_told_are_those_that_training_makes_of_the_same_orders() -> None:
    """Of orders of any time of a day, some with several lines, and some of the past without a price."""
    chance, product = np.random.default_rng(5), Product("milk")
    days = np.sort(chance.integers(0, HISTORY_DAYS, 200))
    paid = np.where(chance.random(200) < 0.1, np.nan, chance.choice([1.5, 2.0, 2.5], 200))
    for n, (day, price) in enumerate(zip(days.tolist(), paid.tolist(), strict=True)):
        at_ms = (TODAY - HISTORY_DAYS + 1 + day) * DAY_MS + 7 * n
        told = None if np.isnan(price) else price
        product = apply_movement(product, make_movement(n, price=told, occurred_at_ms=at_ms))
    product = apply_level(product, make_plan(None), levels_at(0))

    [told_days] = with_prices(
        days_around(TODAY, UTC_DAYS), [product], [past_demand(product, TODAY)], TODAY
    )

    shape = 1, HISTORY_DAYS
    sold = np.zeros(shape, dtype=np.float32)
    np.add.at(sold[0], days, 1)
    taught = relative_prices(mean_by_day(paid, np.zeros_like(days), days, shape=shape), sold)
    assert told_days.shape == (HISTORY_DAYS + HORIZON_DAYS, N_DAY_CHANNELS)
    assert np.allclose(told_days[:HISTORY_DAYS, PRICE], taught[0], atol=1e-5)
    assert taught.any()


async def test_a_promotion_that_is_planned_raises_the_forecast_until_it_is_withdrawn() -> None:
    forecaster = Forecaster(Elastic())
    forecaster.version = "1"
    usual = sold_daily()
    promoted = apply_level(usual, make_plan(2.0), levels_at(0))
    withdrawal = make_plan(None, event_id="plan-1", occurred_at_ms=NOON_MS + 1)
    withdrawn = apply_level(promoted, withdrawal, levels_at(1))

    answers = await forecaster.forecast([usual, promoted, withdrawn], TODAY)

    before, during, after = (answer.cumulative for answer in answers)
    assert bool((during[6] > before[6]).all())
    assert np.allclose(after, before)
