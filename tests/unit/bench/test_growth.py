from __future__ import annotations

import pytest

from stream.bench import growth, workers
from stream.bench.growth import Cost
from stream.bench.workers import Shared


def cost(cpu_us_per_event: float) -> Cost:
    return Cost(cpu_us_per_event, bytes_per_visitor=600, recovery_s=2, sessions_per_s=50_000)


def test_ratio_compares_the_medians_of_the_most_visitors_and_the_fewest() -> None:
    costs = {10: [cost(20), cost(100), cost(19)], 1000: [cost(25), cost(24), cost(90)]}

    assert growth.cpu_ratio(costs) == pytest.approx(25 / 20)


def test_spread_compares_the_medians_of_the_dearest_and_the_cheapest() -> None:
    found = {1: [Shared(20, 0), Shared(90, 0), Shared(19, 0)], 2: [Shared(21, 0)]}

    assert workers.spread(found) == pytest.approx(0.05)
