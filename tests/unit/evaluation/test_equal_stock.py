"""The search for the setting that keeps as much stock as asked."""

from __future__ import annotations

import math

import pytest

from stream.evaluation.equal_stock import TOLERANCE, reach


@pytest.mark.parametrize("target", [0.02, 1.0, 30.0, 400.0])
@pytest.mark.parametrize("first", [-3.0, 0.0, 5.0])
def test_the_stock_is_reached_from_either_side(target: float, first: float) -> None:
    tried = reach(target, lambda z: (math.exp(z), "found"), within=(-6.0, 9.0), first=first)

    assert abs(tried.value / target - 1) <= TOLERANCE
    assert tried.value == math.exp(tried.setting)
    assert tried.found == "found"


def test_what_moves_in_steps_is_met_as_nearly_as_it_can_be() -> None:
    tried = reach(2.4, lambda z: (math.floor(z), None), within=(0.0, 9.0), first=5.0)

    assert tried.value == 2


def test_out_of_reach_the_end_is_the_answer() -> None:
    tried = reach(100.0, lambda z: (z, None), within=(0.0, 9.0), first=1.0)

    assert tried.setting == 9.0
