from __future__ import annotations

import pytest

from stream.bench import growth, workers
from stream.bench.growth import Cost
from stream.bench.workers import Shared


def cost(cpu_us_per_event: float) -> Cost:
    return Cost(cpu_us_per_event, bytes_per_visitor=600, recovery_s=2, sessions_per_s=50_000)


def shared(cpu_us_per_event: float) -> Shared:
    return Shared(cpu_us_per_event, idle_share=0.03, record_bytes={})


def test_ratio_compares_the_medians_of_the_most_visitors_and_the_fewest() -> None:
    costs = {10: [cost(20), cost(100), cost(19)], 1000: [cost(25), cost(24), cost(90)]}

    assert growth.cpu_ratio(costs) == pytest.approx(25 / 20)


def test_spread_compares_the_dearest_with_the_cheapest() -> None:
    found = {1: [shared(20), shared(90), shared(19)], 2: [shared(21)]}

    assert workers.spread(found, workers.middle) == pytest.approx(0.05)
    assert workers.spread(found, workers.least) == pytest.approx(21 / 19 - 1)
