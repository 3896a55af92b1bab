"""Whether a count that was forecast as it falls is held as often as its level says, and no other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from stream.model_specs import QUANTILES
from stream.models.counts import held, spread, untied

LEVELS = np.array(QUANTILES)
N_MEANS, N_EACH, N_COUNTS = 300, 60, 2_000


class Counted(NamedTuple):
    """Draws of counts of many means, with their true quantiles: whole, and spread over the counts."""

    units: NDArray[np.float32]
    whole: NDArray[np.float32]
    spread: NDArray[np.float32]


def probabilities(mean: float, size: float) -> NDArray[np.float64]:
    """Return those of 0, 1, … of a negative binomial; the larger *size*, the nearer to Poisson."""
    counts = np.arange(N_COUNTS)
    ways = np.array([math.lgamma(k + size) - math.lgamma(k + 1) for k in counts])
    share = size / (size + mean)
    logs = ways - math.lgamma(size) + size * math.log(share) + counts * math.log1p(-share)
    each = np.exp(logs)
    shares: NDArray[np.float64] = each / each.sum()
    return shares


@cache
def counted(size: float, low: float = 0.03, high: float = 60.0) -> Counted:
    draw = np.random.default_rng(4)

    def drawn() -> Iterator[Counted]:
        for mean in np.exp(draw.uniform(math.log(low), math.log(high), N_MEANS)):
            each = probabilities(float(mean), size)
            reached = each.cumsum()
            whole = np.searchsorted(reached, LEVELS)
            first = np.maximum(whole - 0.5, 0)
            share = (LEVELS - (reached[whole] - each[whole])) / each[whole]
            between = first + (whole + 0.5 - first) * share
            yield Counted(
                draw.choice(N_COUNTS, N_EACH, p=each).astype(np.float32),
                np.tile(whole, (N_EACH, 1)).astype(np.float32),
                np.tile(between, (N_EACH, 1)).astype(np.float32),
            )

    return Counted(*(np.concatenate(parts) for parts in zip(*drawn(), strict=True)))


@pytest.mark.parametrize("size", [0.5, 3.0, 1e6])
def test_true_quantiles_hold_as_often_as_their_level_whole_ones_too(size: float) -> None:
    drawn = counted(size)

    for forecast in (drawn.spread, drawn.whole):
        shares = held(forecast, drawn.units).mean(axis=0)
        assert shares.tolist() == pytest.approx(QUANTILES, abs=0.015)


@pytest.mark.parametrize("size", [0.5, 1e6])
def test_true_quantiles_of_slow_sellers_hold_as_well(size: float) -> None:
    drawn = counted(size, low=0.02, high=0.2)

    assert held(drawn.spread, drawn.units)[:, -1].mean() == pytest.approx(0.9, abs=0.01)
    assert 0.88 <= held(drawn.whole, drawn.units)[:, -1].mean() <= 0.92


@pytest.mark.parametrize("factor", [0.0, 0.8, 1.3])
def test_wrong_quantiles_hold_too_seldom_or_too_often(factor: float) -> None:
    drawn = counted(1e6)

    share = held(np.float32(factor) * drawn.spread, drawn.units)[:, -1].mean()

    assert not 0.88 <= share <= 0.92
    assert (share > 0.9) == (factor > 1)


def test_a_tie_is_held_with_the_share_of_what_the_count_stands_for() -> None:
    forecast = np.full((5, 9), 2.25, dtype=np.float32)

    shares = held(forecast, np.array([0, 1, 2, 3, 9], dtype=np.float32))

    assert shares[:, 0].tolist() == pytest.approx([1, 1, 0.75, 0, 0])


def test_nothing_sold_is_half_a_unit_wide() -> None:
    quarter = np.full((1, 9), 0.125, dtype=np.float32)

    assert held(quarter, np.zeros(1, dtype=np.float32))[0, 0] == pytest.approx(0.25)


def test_levels_that_tie_on_a_whole_number_share_what_it_stands_for() -> None:
    forecast = np.array([0, 0, 0, 0, 1, 1, 2, 2.5, 4], dtype=np.float32)

    spaced = untied(forecast)

    # 0 ends midway between 0.4 and 0.5; 1 lasts from there to midway between 0.6 and 0.7.
    assert spaced[:4].tolist() == pytest.approx([0.5 * q / 0.45 for q in (0.1, 0.2, 0.3, 0.4)])
    assert spaced[4:].tolist() == pytest.approx([0.75, 1.25, 2, 2.5, 4])
    assert bool((np.diff(spaced) >= 0).all())


def test_what_is_spread_rounds_to_the_count() -> None:
    units = torch.arange(5.0).repeat(1000)

    numbers = spread(units)

    assert bool((numbers >= 0).all())
    assert bool(((numbers - units).abs() <= 0.5).all())
    assert numbers[units == 3].mean().item() == pytest.approx(3.0, abs=0.05)
