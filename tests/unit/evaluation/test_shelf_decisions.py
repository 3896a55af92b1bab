"""All shelves at once decide as the worker does about each."""

from __future__ import annotations

import numpy as np
import pytest

from stream.evaluation.shelf_decisions import orders_at, orders_by_assess
from stream.model_specs import HORIZON_DAYS, QUANTILES


@pytest.mark.parametrize("service_level", [0.02, 0.25, *QUANTILES, 0.99])
@pytest.mark.parametrize("lead_days", [3, 7, 14, HORIZON_DAYS - 1])
def test_orders_are_those_of_the_worker_s_assessment(service_level: float, lead_days: int) -> None:
    draw = np.random.default_rng(lead_days)
    parts = draw.gamma(0.4, 1.0, (60, HORIZON_DAYS, len(QUANTILES))) * draw.integers(
        0, 3, (60, 1, 1)
    )
    cumulative = parts.cumsum(axis=1).cumsum(axis=2).astype(np.float32)
    on_hand, inbound = draw.integers(0, 3, 60), draw.integers(0, 9, 60) // 3

    orders = orders_at(cumulative, on_hand + inbound, lead_days, service_level=service_level)

    assert (orders > 0).any()
    assert orders.tolist() == [
        orders_by_assess(
            cumulative[at],
            on_hand=int(on_hand[at]),
            inbound=int(inbound[at]),
            lead_days=lead_days,
            service_level=service_level,
        )
        for at in range(60)
    ]
