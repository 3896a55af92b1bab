from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.domain.quantiles import at_level
from stream.model_specs import QUANTILES

NORMAL = np.array([[NormalDist(50, 8).inv_cdf(level) for level in QUANTILES]], np.float32)


@pytest.mark.parametrize("level", [0.02, 0.1, 0.37, 0.5, 0.84, 0.9, 0.99])
def test_any_level_of_a_normal_demand_is_what_the_normal_says(level: float) -> None:
    expected = NormalDist(50, 8).inv_cdf(level)

    assert at_level(NORMAL, level)[0] == pytest.approx(expected, abs=0.15)


def test_levels_that_the_forecast_has_are_its_own() -> None:
    for place, level in enumerate(QUANTILES):
        assert at_level(NORMAL, level)[0] == pytest.approx(NORMAL[0, place], rel=1e-5)


@given(
    st.lists(st.floats(0, 1e4, width=32), min_size=9, max_size=9).map(sorted),
    st.floats(0.01, 0.99),
    st.floats(0.01, 0.99),
)
def test_higher_level_is_never_less_and_nothing_is_below_zero(
    quantiles: list[float], one: float, other: float
) -> None:
    forecast = np.array([quantiles], np.float32)
    low, high = at_level(forecast, min(one, other))[0], at_level(forecast, max(one, other))[0]

    assert 0 <= low <= high * (1 + 1e-5) + 1e-3
