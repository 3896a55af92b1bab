"""Every policy on the same shelves, each set so that it keeps as much stock as the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import NormalDist

from stream.domain.policy import StockPolicy
from stream.evaluation.equal_stock import TOLERANCE, Tried, reach
from stream.evaluation.our_orders import Alerted, Fitted
from stream.evaluation.shop import RUN_IN_DAYS, TEST_DAYS, Shop
from stream.evaluation.stock_quality import Outcome, outcome_of
from stream.evaluation.stock_rules import RecentSales, RollingSafetyStock, SafetyStock
from stream.evaluation.warehouse import Policy, replay

#: Of the data none has lead times; these are the ones of a wholesaler near by to one abroad.
LEAD_DAYS = (3, 7, 14)
STOCKY, SAFETY, ROLLING, OURS = "Stocky's rule", "safety stock", "rolling safety stock", "ours"
RULES = (STOCKY, SAFETY, ROLLING)
#: What the better safety-stock rule serves where stock is ample.
FILL_RATE = 0.95
#: Levels of stock at which policies are compared, the scarcest first. Stocky's rule as it is, with
#: nothing to set; our alerts as they come; and what a planner wants who asks for so many units.
AT_STOCKY = "as much stock as Stocky's rule"
AT_DEFAULT = f"as much stock as ours at service level {StockPolicy().service_level:.0%}"
AT_FILL_RATE = f"stock for {FILL_RATE:.0%} served"
LEVELS = (AT_STOCKY, AT_DEFAULT, AT_FILL_RATE)
#: What is tried: of Stocky's rule how many times the units that it says, of the others deviations
#: above the mean, and of ours the score of its service level in a normal distribution.
_WITHIN = {STOCKY: (0.1, 80.0), SAFETY: (-4.0, 20.0), ROLLING: (-4.0, 20.0), OURS: (-4.0, 8.0)}
#: What is tried first of Stocky's rule, and of the others at each level of stock.
_TIMES, _SCORE = 2.0, {AT_STOCKY: -0.5, AT_DEFAULT: 1.3, AT_FILL_RATE: 2.5}
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Entry:
    """A policy, what it was set to, and what came of it.

    Attributes:
        setting: How many times Stocky's rule, deviations above the mean, or our service level; None
            where nothing was set.
    """

    setting: float | None
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Contest:
    """All policies at one lead time and level of stock, by name.

    Attributes:
        at: What the level is that of.
        stock: Units on a shelf at the end of an open day that all are to keep in the mean.
    """

    lead_days: int
    at: str
    stock: float
    entries: Mapping[str, Entry]

    @property
    def is_equal(self) -> bool:
        """Whether all keep that stock, but for ``TOLERANCE``."""
        stocks = [each.outcome.mean_stock for each in self.entries.values()]
        return all(abs(stock - self.stock) <= TOLERANCE * self.stock for stock in stocks)


class Trials:
    """Replays the policies of one shop and lead time over run-in and test."""

    def __init__(self, shop: Shop, learnt: Fitted, lead_days: int) -> None:
        self._shop, self._learnt, self._lead_days = shop, learnt, lead_days
        self._first = shop.test_from - RUN_IN_DAYS

    def contests(self, done: Callable[[str], None]) -> Iterator[Contest]:
        """Yield ``LEVELS`` in order; *done* is told what has ended, ``N_DONE`` times."""
        yield self._contest(AT_STOCKY, STOCKY, Entry(None, self._outcome(STOCKY, 1.0)), done)
        level = StockPolicy().service_level
        ours = Entry(level, self._outcome(OURS, _NORMAL.inv_cdf(level)))
        yield self._contest(AT_DEFAULT, OURS, ours, done)
        served = {name: self._at_fill_rate(name) for name in (SAFETY, ROLLING)}
        best = min(served, key=lambda name: served[name].outcome.mean_stock)
        yield self._contest(AT_FILL_RATE, best, served[best], done)

    def _contest(self, at: str, name: str, entry: Entry, done: Callable[[str], None]) -> Contest:
        """Return all policies at the stock of *entry*, which is that of *name*."""
        stock = entry.outcome.mean_stock
        entries = {}
        for policy in (*RULES, OURS):
            entries[policy] = entry if policy == name else self._at_stock(policy, stock, at)
            done(policy)
        return Contest(self._lead_days, at, stock, entries)

    def _at_stock(self, name: str, stock: float, at: str) -> Entry:
        def trial(setting: float) -> tuple[float, Outcome]:
            outcome = self._outcome(name, setting)
            return outcome.mean_stock, outcome

        first = _TIMES if name == STOCKY else _SCORE[at]
        return _entry(name, reach(stock, trial, within=_WITHIN[name], first=first))

    def _at_fill_rate(self, name: str) -> Entry:
        def trial(setting: float) -> tuple[float, Outcome]:
            outcome = self._outcome(name, setting)
            return 1 - float(outcome.lost.sum() / outcome.wanted.sum()), outcome

        return _entry(
            name, reach(FILL_RATE, trial, within=_WITHIN[name], first=_SCORE[AT_FILL_RATE])
        )

    def _outcome(self, name: str, setting: float) -> Outcome:
        policy = self._policy(name, setting)
        return outcome_of(replay(self._shop, policy, self._lead_days, first=self._first), TEST_DAYS)

    def _policy(self, name: str, setting: float) -> Policy:
        shop, lead_days = self._shop, self._lead_days
        if name == STOCKY:
            return RecentSales(lead_days, times=setting)
        if name == SAFETY:
            return SafetyStock(shop.units[:, : shop.test_from], lead_days, z=setting)
        if name == ROLLING:
            return RollingSafetyStock(lead_days, z=setting)
        level = _NORMAL.cdf(setting)
        return Alerted(shop, self._learnt, lead_days, first=self._first, service_level=level)


#: Policies that ``Trials.contests`` tells of.
N_DONE = len(LEVELS) * (len(RULES) + 1)


def _entry(name: str, tried: Tried[Outcome]) -> Entry:
    setting = _NORMAL.cdf(tried.setting) if name == OURS else tried.setting
    return Entry(setting, tried.found)
