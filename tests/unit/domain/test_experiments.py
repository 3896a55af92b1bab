from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from stream.domain.experiments import Interval, Rate, difference, rate_of

Visitors = list[tuple[int, int]]


def share_of(hits: int, trials: int) -> Rate:
    """A rate of visitors with one trial each."""
    rate = rate_of([(int(n < hits), 1) for n in range(trials)])
    assert rate is not None
    return rate


def rounded(interval: Interval) -> tuple[float, float]:
    return round(interval.low, 4), round(interval.high, 4)


# Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3.
@pytest.mark.parametrize(
    ("hits", "trials", "expected"),
    [
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_interval_of_a_proportion_is_the_published_one(
    hits: int, trials: int, expected: tuple[float, float]
) -> None:
    assert rounded(share_of(hits, trials).interval) == expected


# Newcombe (1998), "Interval estimation for the difference", table II, method 10.
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((6, 7), (2, 7), (0.0582, 0.8062)),
        ((5, 56), (0, 29), (-0.0381, 0.1926)),
        ((0, 10), (0, 20), (-0.1611, 0.2775)),
        ((0, 10), (0, 10), (-0.2775, 0.2775)),
        ((10, 10), (0, 20), (0.6791, 1.0)),
        ((10, 10), (0, 10), (0.6075, 1.0)),
    ],
)
def test_interval_of_a_difference_is_the_published_one(
    first: tuple[int, int], second: tuple[int, int], expected: tuple[float, float]
) -> None:
    found = difference(share_of(*first), share_of(*second))

    assert rounded(found.interval) == expected
    assert found.interval.excludes_zero == (expected[0] > 0)


def test_difference_the_other_way_round_is_its_mirror() -> None:
    there, back = (difference(share_of(*x), share_of(*y)) for x, y in (AB, AB[::-1]))

    assert back.amount == -there.amount
    assert back.interval == pytest.approx((-there.interval.high, -there.interval.low))
    assert back.interval.excludes_zero == there.interval.excludes_zero


AB: Sequence[tuple[int, int]] = ((56, 70), (48, 80))


def test_variance_of_a_ratio_is_the_delta_method_s() -> None:
    visitors = [(0, 4), (1, 2), (3, 3), (0, 1), (2, 7)]

    rate = rate_of(visitors)

    # By hand: 6 of 17; residuals -24, 5, 33, -6, -8 seventeenths, their squares add up to 1,790/289.
    assert rate is not None
    assert rate.share == 6 / 17
    variance = 1790 / 289 / 17**2
    assert rate.n_effective == pytest.approx(6 / 17 * 11 / 17 / variance)


def test_variance_of_a_ratio_is_that_of_visitors_drawn_again() -> None:
    chance = Random(7)
    visitors = clicks(chance, n_visitors=400, rate=0.1, likeness=3)
    rate = rate_of(visitors)
    assert rate is not None

    shares = []
    for _ in range(1_000):
        drawn = chance.choices(visitors, k=len(visitors))
        shares.append(sum(hits for hits, _ in drawn) / sum(trials for _, trials in drawn))

    mean = sum(shares) / len(shares)
    drawn_variance = sum((share - mean) ** 2 for share in shares) / len(shares)
    told_variance = rate.share * (1 - rate.share) / rate.n_effective
    assert told_variance == pytest.approx(drawn_variance, rel=0.1)


def test_trials_of_one_visitor_count_less_than_those_of_many() -> None:
    of_many = rate_of([(int(n < 20), 1) for n in range(100)])
    of_few = rate_of([(10, 10)] * 2 + [(0, 10)] * 8)

    assert of_many is not None
    assert of_few is not None
    assert (of_many.share, of_few.share) == (0.2, 0.2)
    assert (of_many.n_effective, of_few.n_effective) == pytest.approx((100, 10))


@pytest.mark.parametrize("hits", [0, 8])
def test_visitors_that_do_not_differ_count_once_each(hits: int) -> None:
    rate = rate_of([(hits, 8)] * 20)

    assert rate == Rate(hits / 8, 20)


def test_effective_trials_are_never_more_than_there_were() -> None:
    rate = rate_of([(1, 2)] * 49 + [(1, 2), (0, 2)])

    assert rate is not None
    assert rate.n_effective == 102


def test_nothing_tried_has_no_rate() -> None:
    assert rate_of([]) is None
    assert rate_of([(0, 0)]) is None


def clicks(chance: Random, *, n_visitors: int, rate: float, likeness: float) -> Visitors:
    """Visitors with 1 to 16 trials and each a rate of their own; a small *likeness* sets them apart."""
    visitors = []
    for _ in range(n_visitors):
        own = chance.betavariate(rate * likeness, (1 - rate) * likeness)
        n_trials = min(16, 1 + int(chance.expovariate(0.2)))
        visitors.append((sum(chance.random() < own for _ in range(n_trials)), n_trials))
    return visitors


def test_nineteen_of_twenty_intervals_hold_the_truth_where_clicks_hang_together() -> None:
    chance = Random(1)
    n_runs, n_held, n_same, n_held_if_independent = 600, 0, 0, 0

    for _ in range(n_runs):
        visitors, others = (clicks(chance, n_visitors=300, rate=0.05, likeness=4) for _ in range(2))
        rate, other = rate_of(visitors), rate_of(others)
        assert rate is not None
        assert other is not None
        low, high = rate.interval
        n_held += low <= 0.05 <= high
        n_same += not difference(rate, other).interval.excludes_zero
        naive = Rate(rate.share, sum(trials for _, trials in visitors)).interval
        n_held_if_independent += naive.low <= 0.05 <= naive.high

    assert 0.92 <= n_held / n_runs <= 0.97
    assert 0.92 <= n_same / n_runs <= 0.97
    assert n_held_if_independent / n_runs < 0.87
