from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from stream.domain.experiments import (
    MIN_VISITORS,
    Difference,
    Interval,
    Rate,
    difference,
    rate_of,
    t_quantile,
)

Visitors = list[tuple[int, int]]


def rate_of_some(visitors: Visitors) -> Rate:
    rate = rate_of(visitors)
    assert rate is not None
    return rate


def share_of(hits: int, trials: int) -> Rate:
    """A rate of visitors with one trial each."""
    return rate_of_some([(int(n < hits), 1) for n in range(trials)])


def beyond(rate: Rate, other: Rate) -> Difference:
    found = difference(rate, other)
    assert found is not None
    return found


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
    found = beyond(share_of(*first), share_of(*second))

    assert rounded(found.interval) == expected
    assert found.interval.excludes_zero == (expected[0] > 0)


def test_difference_the_other_way_round_is_its_mirror() -> None:
    there, back = (beyond(share_of(*x), share_of(*y)) for x, y in (AB, AB[::-1]))

    assert back.amount == -there.amount
    assert back.interval == pytest.approx((-there.interval.high, -there.interval.low))
    assert back.interval.excludes_zero == there.interval.excludes_zero


AB: Sequence[tuple[int, int]] = ((56, 70), (48, 80))


def test_effective_trials_are_by_the_delta_method_adjusted_for_few_visitors() -> None:
    rate = rate_of_some([(0, 4), (1, 2), (3, 3), (0, 1), (2, 7)])

    # By hand: 6 of 17; residuals -24, 5, 33, -6, -8 seventeenths, their squares add up to 1,790/289.
    seen = 1790 / 289 * 5 / 4 * 16 / 17 * (2.7764 / 2.1199) ** 2
    alike, binomial = 79 / 17, 6 * 11 / 17
    assert rate.share == 6 / 17
    assert rate.n_effective == pytest.approx(17 * (binomial + 1) / (seen + alike), rel=1e-3)


def test_variance_of_a_ratio_is_that_of_visitors_drawn_again() -> None:
    chance = Random(7)
    visitors = clicks(chance, n_visitors=400, rate=0.1, likeness=3)
    rate = rate_of_some(visitors)

    shares = []
    for _ in range(1_000):
        drawn = chance.choices(visitors, k=len(visitors))
        shares.append(sum(hits for hits, _ in drawn) / sum(trials for _, trials in drawn))

    mean = sum(shares) / len(shares)
    drawn_variance = sum((share - mean) ** 2 for share in shares) / len(shares)
    told_variance = rate.share * (1 - rate.share) / rate.n_effective
    assert told_variance == pytest.approx(drawn_variance, rel=0.1)


def test_trials_of_one_visitor_count_less_than_those_of_many() -> None:
    of_many = share_of(20, 100)
    of_few = rate_of_some([(10, 10)] * 2 + [(0, 10)] * 8)

    assert (of_many.share, of_few.share) == (0.2, 0.2)
    assert of_many.n_effective == pytest.approx(100)
    assert of_few.n_effective < 10


# The table of any textbook; Abramowitz and Stegun, table 26.10.
@pytest.mark.parametrize(
    ("n_degrees", "expected"),
    [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (9, 2.262), (30, 2.042)],
)
def test_quantile_of_student_is_the_published_one(n_degrees: int, expected: float) -> None:
    assert t_quantile(n_degrees) == pytest.approx(expected, abs=0.004)


def test_one_more_hit_changes_little_of_what_is_known() -> None:
    same, other = rate_of_some([(50, 100)] * 2), rate_of_some([(50, 100), (51, 100)])
    none, one = rate_of_some([(0, 8)] * 20), rate_of_some([(0, 8)] * 19 + [(1, 8)])

    assert same.n_effective == pytest.approx(other.n_effective, rel=0.01)
    assert none.n_effective < one.n_effective < 2 * none.n_effective


@pytest.mark.parametrize("hits", [0, 8])
def test_visitors_of_whom_none_or_all_hit_count_once_each(hits: int) -> None:
    assert rate_of([(hits, 8)] * 20) == Rate(hits / 8, 20, 20)


def test_effective_trials_are_never_more_than_there_were() -> None:
    rate = rate_of_some([(1, 2)] * 4_900 + [(1, 2), (0, 2)])

    assert 9_000 < rate.n_effective < 9_804


def test_one_visitor_is_one_trial_and_tells_no_difference() -> None:
    one = rate_of_some([(5, 30), (0, 0)])

    assert (one.n_effective, one.n_visitors) == (1, 1)
    assert difference(one, share_of(3, 30)) is None
    assert difference(share_of(3, 30), one) is None
    assert difference(None, share_of(3, 30)) is None


def test_few_visitors_have_an_interval_and_no_verdict() -> None:
    few, enough = (share_of(0, n) for n in (MIN_VISITORS - 1, MIN_VISITORS))
    many = share_of(100, 100)

    for undecided in (beyond(few, many), beyond(many, few)):
        assert undecided.interval.excludes_zero
        assert undecided.differs is None
    assert beyond(enough, many).differs is True
    assert beyond(enough, share_of(1, 100)).differs is False


def test_nothing_tried_has_no_rate() -> None:
    assert rate_of([]) is None
    assert rate_of([(0, 0)]) is None


def clicks(
    chance: Random, *, n_visitors: int, rate: float, likeness: float, n_trials: int | None = None
) -> Visitors:
    """Visitors with 1 to 16 trials and each a rate of their own; a small *likeness* sets them apart."""
    visitors = []
    for _ in range(n_visitors):
        own = chance.betavariate(rate * likeness, (1 - rate) * likeness)
        tried = n_trials or min(16, 1 + int(chance.expovariate(0.2)))
        visitors.append((sum(chance.random() < own for _ in range(tried)), tried))
    return visitors


def test_nineteen_of_twenty_intervals_hold_the_truth_where_clicks_hang_together() -> None:
    chance = Random(1)
    n_runs, n_held, n_same, n_held_if_independent = 600, 0, 0, 0

    for _ in range(n_runs):
        visitors, others = (clicks(chance, n_visitors=300, rate=0.05, likeness=4) for _ in range(2))
        rate = rate_of_some(visitors)
        low, high = rate.interval
        n_held += low <= 0.05 <= high
        n_same += not beyond(rate, rate_of_some(others)).differs
        naive = Rate(rate.share, sum(trials for _, trials in visitors), 300).interval
        n_held_if_independent += naive.low <= 0.05 <= naive.high

    assert 0.92 <= n_held / n_runs <= 0.97
    assert 0.92 <= n_same / n_runs <= 0.97
    assert n_held_if_independent / n_runs < 0.87


def held(chance: Random, *, n_visitors: int, n_runs: int) -> float:
    """The share of intervals with the truth in them, of visitors with 30 trials each."""
    n_held = 0
    for _ in range(n_runs):
        visitors = clicks(chance, n_visitors=n_visitors, rate=0.1, likeness=4, n_trials=30)
        low, high = rate_of_some(visitors).interval
        n_held += low <= 0.1 <= high
    return n_held / n_runs


# By the delta method and the normal quantile alone 81, 88, 91 and 94 %.
@pytest.mark.parametrize(
    ("n_visitors", "n_runs", "coverage"),
    [(5, 2_000, 0.99), (10, 2_000, 0.98), (20, 2_000, 0.95), (300, 400, 0.95)],
)
def test_intervals_hold_the_truth_also_of_few_visitors(
    n_visitors: int, n_runs: int, coverage: float
) -> None:
    share = held(Random(n_visitors), n_visitors=n_visitors, n_runs=n_runs)

    assert share == pytest.approx(coverage, abs=0.01)


def test_verdicts_on_few_visitors_err_no_more_than_one_in_twenty() -> None:
    chance = Random(2)
    n_runs, n_differing = 300, 0

    for _ in range(n_runs):
        few, many = (
            rate_of_some(clicks(chance, n_visitors=n, rate=0.1, likeness=4, n_trials=30))
            for n in (MIN_VISITORS, 200)
        )
        n_differing += beyond(few, many).differs is True

    assert n_differing / n_runs <= 0.05
