"""Rates of an experiment's arms, and how far they may be off. Visitors were drawn, not events.

What one visitor does hangs together: who clicks, clicks again. Events counted as if each were by
somebody else give intervals that are too narrow, so every interval here is one over visitors.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import NormalDist
from typing import NamedTuple

CONFIDENCE = 0.95
#: With fewer visitors on a side there is an interval and no verdict. A quarter of all visitors may
#: behave otherwise and yet none of them be among nine (8 %): no interval knows who is missing.
#: Parker et al. (2017), "NCHS data presentation standards for proportions", Vital and Health
#: Statistics 2(175), have a statistician look at proportions with fewer than 8 degrees of freedom.
MIN_VISITORS = 10
_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


class Interval(NamedTuple):
    """Where the truth lies in 95 of 100 experiments, both ends included."""

    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether all of it is on one side of zero."""
        return self.low > 0 or self.high < 0


class Rate(NamedTuple):
    """A share of trials, 0 to 1.

    Attributes:
        n_effective: As many independent trials would be as certain.
    """

    share: float
    n_effective: float
    n_visitors: int

    @property
    def interval(self) -> Interval:
        """Return Wilson's interval; it stays within 0 and 1, also where nothing was hit.

        Wilson (1927), "Probable inference, the law of succession, and statistical inference",
        JASA 22; for trials that hang together with their effective number: Franco, Little, Louis
        and Slud (2019), "Comparative study of confidence intervals for proportions in complex
        sample surveys", Journal of Survey Statistics and Methodology 7.
        """
        share, n = self.share, self.n_effective
        middle = share + _Z**2 / (2 * n)
        reach = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
        scale = 1 + _Z**2 / n
        # Rounding must not leave a share outside of its own interval.
        low, high = (middle - reach) / scale, (middle + reach) / scale
        return Interval(max(0.0, min(share, low)), min(1.0, max(share, high)))


class Difference(NamedTuple):
    """What one share has beyond another, -1 to 1.

    Attributes:
        n_visitors: On the side that has fewer.
    """

    amount: float
    interval: Interval
    n_visitors: int

    @property
    def differs(self) -> bool | None:
        """Whether the truth is not zero; None where too few visitors say so."""
        return None if self.n_visitors < MIN_VISITORS else self.interval.excludes_zero


def rate_of(visitors: Iterable[tuple[int, int]]) -> Rate | None:
    """Return the share of all trials that hit, from each visitor's (hits, trials).

    Where each visitor has one trial, the interval is Wilson's own.

    Returns:
        None without a trial.
    """
    tried = [(hits, trials) for hits, trials in visitors if trials]
    n_hits, n_trials = sum(hits for hits, _ in tried), sum(trials for _, trials in tried)
    if n_trials == 0:
        return None
    return Rate(n_hits / n_trials, n_trials / _design_effect(tried, n_hits, n_trials), len(tried))


def difference(rate: Rate | None, other: Rate | None) -> Difference | None:
    """Return *rate* less *other*, of different visitors.

    Newcombe (1998), "Interval estimation for the difference between independent proportions:
    comparison of eleven methods", Statistics in Medicine 17, method 10: from both Wilson intervals.
    With other intervals than Wilson's the same: Zou and Donner (2008), Statistics in Medicine 27.

    Returns:
        None where a side has fewer than two visitors: how visitors differ is not to be seen in one.
    """
    if rate is None or other is None or min(rate.n_visitors, other.n_visitors) < 2:
        return None
    amount = rate.share - other.share
    (low, high), (other_low, other_high) = rate.interval, other.interval
    below = math.hypot(rate.share - low, other_high - other.share)
    above = math.hypot(high - rate.share, other.share - other_low)
    n_visitors = min(rate.n_visitors, other.n_visitors)
    return Difference(amount, Interval(amount - below, amount + above), n_visitors)


def _design_effect(tried: Sequence[tuple[int, int]], n_hits: int, n_trials: int) -> float:
    """Return how many trials of visitors are worth one that is independent, 1 or more.

    From how visitors differ, by the delta method: Deng, Knoblich and Lu (2018), "Applying the Delta
    Method in Metric Analytics", KDD; for few visitors widened, and never below that of independent
    trials: Korn and Graubard (1998), "Confidence intervals for proportions with small expected
    number of positive counts estimated from survey data", Survey Methodology 24.

    A single hit in thousands of trials looks independent, whatever it is. So this is averaged with
    the effect where a visitor's trials are all alike, Kish's (1965, "Survey Sampling"): it weighs
    one hit beside the binomial variance, which is about the number of hits where they are few.
    Without any it stands alone, and each visitor counts as one trial.
    """
    n_visitors = len(tried)
    alike = sum(trials**2 for _, trials in tried) / n_trials
    if n_visitors == 1:
        return alike
    binomial = n_hits * (n_trials - n_hits) / n_trials
    squares = sum((hits * n_trials - n_hits * trials) ** 2 for hits, trials in tried) / n_trials**2
    # Each variance is a sample's: where each visitor has one trial, both corrections cancel.
    seen = squares * n_visitors / (n_visitors - 1) * (n_trials - 1) / n_trials
    widening = (t_quantile(n_visitors - 1) / t_quantile(n_trials - 1)) ** 2
    return (max(binomial, seen) * widening + alike) / (binomial + 1)


def t_quantile(n_degrees: int) -> float:
    """Return what Student's t exceeds on neither side with `CONFIDENCE`, for 1 degree or more.

    Abramowitz and Stegun (1964), "Handbook of Mathematical Functions", 26.7.5, off by 0.004 at 3
    degrees and by less than 0.001 above; exact for 1 and 2, where it would not do.
    """
    if n_degrees == 1:
        return math.tan(math.pi * CONFIDENCE / 2)
    if n_degrees == 2:
        return CONFIDENCE * math.sqrt(2 / (1 - CONFIDENCE**2))
    z = _Z
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return z + sum(term / float(n_degrees) ** power for power, term in enumerate(terms, 1))
