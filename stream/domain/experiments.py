"""Rates of an experiment's arms, and how far they may be off. Visitors were drawn, not events.

What one visitor does hangs together: who clicks, clicks again. Events counted as if each were by
somebody else give intervals that are too narrow, so every interval here is one over visitors.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import NormalDist
from typing import NamedTuple

CONFIDENCE = 0.95
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

    @property
    def interval(self) -> Interval:
        """Return Wilson's interval; it stays within 0 and 1, also where nothing was hit.

        Wilson (1927), "Probable inference, the law of succession, and statistical inference",
        JASA 22; for trials that hang together with their effective number: Korn and Graubard
        (1998), "Confidence intervals for proportions with small expected number of positive counts
        estimated from survey data", Survey Methodology 24.
        """
        share, n = self
        middle = share + _Z**2 / (2 * n)
        reach = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
        scale = 1 + _Z**2 / n
        # Rounding must not leave a share outside of its own interval.
        low, high = (middle - reach) / scale, (middle + reach) / scale
        return Interval(max(0.0, min(share, low)), min(1.0, max(share, high)))


class Difference(NamedTuple):
    """What one share has beyond another, -1 to 1."""

    amount: float
    interval: Interval


def rate_of(visitors: Iterable[tuple[int, int]]) -> Rate | None:
    """Return the share of all trials that hit, from each visitor's (hits, trials).

    The variance of this ratio of two means is the delta method's: Deng, Knoblich and Lu (2018),
    "Applying the Delta Method in Metric Analytics", KDD, of cluster randomization. Where each
    visitor has one trial it is the binomial one, so that the interval is Wilson's own.

    Returns:
        None without a trial. Where visitors do not differ, as when nobody clicked, nothing is known
        of how their trials hang together: then each counts as one trial, which is the least.
    """
    n_visitors = hits = trials = hits_2 = both = trials_2 = 0
    for hit, tried in visitors:
        n_visitors += 1
        hits += hit
        trials += tried
        hits_2 += hit * hit
        both += hit * tried
        trials_2 += tried * tried
    if trials == 0:
        return None
    share = hits / trials
    # The sum over visitors of (their hits - share * their trials)^2, times trials^2: a whole number.
    spread = hits_2 * trials**2 - 2 * hits * trials * both + hits**2 * trials_2
    if spread == 0:
        return Rate(share, float(n_visitors))
    variance = spread / trials**4
    return Rate(share, min(float(trials), share * (1 - share) / variance))


def difference(rate: Rate, other: Rate) -> Difference:
    """Return *rate* less *other*, of different visitors.

    Newcombe (1998), "Interval estimation for the difference between independent proportions:
    comparison of eleven methods", Statistics in Medicine 17, method 10: from both Wilson intervals.
    With other intervals than Wilson's the same: Zou and Donner (2008), Statistics in Medicine 27.
    """
    amount = rate.share - other.share
    (low, high), (other_low, other_high) = rate.interval, other.interval
    below = math.hypot(rate.share - low, other_high - other.share)
    above = math.hypot(high - rate.share, other.share - other_low)
    return Difference(amount, Interval(amount - below, amount + above))
