"""Every policy on the same shelves, each set so that it keeps as much stock as the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import NormalDist

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
#: What the better rule serves where planners keep their stock.
FILL_RATE = 0.95
#: Levels of stock at which policies are compared.
AT_STOCKY, AT_FILL_RATE = "as much stock as Stocky's rule", f"stock for {FILL_RATE:.0%} served"
#: Deviations that are tried, of a rule; and scores of a normal distribution, of our service level.
_DEVIATIONS, _SCORES = (-4.0, 20.0), (-4.0, 8.0)
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Entry:
    """A policy, what it was set to, and what came of it.

    Attributes:
        setting: Deviations above the mean, or our service level; None where there is none to set.
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
        """Yield both levels of stock; *done* is told what has ended, ``N_DONE`` times."""
        stocky = self._outcome(RecentSales(self._lead_days))
        entries = {STOCKY: Entry(None, stocky)}
        for name in (SAFETY, ROLLING, OURS):
            entries[name] = self._at_stock(name, stocky.mean_stock, first=-0.5)
            done(name)
        yield Contest(self._lead_days, AT_STOCKY, stocky.mean_stock, entries)
        served = {name: self._at_fill_rate(name) for name in (SAFETY, ROLLING)}
        best = min(served, key=lambda name: served[name].outcome.mean_stock)
        stock = served[best].outcome.mean_stock
        entries = {}
        for name in (SAFETY, ROLLING, OURS):
            if name == best:
                entries[name] = served[best]
                continue
            entries[name] = self._at_stock(name, stock, first=2.5)
            done(name)
        yield Contest(self._lead_days, AT_FILL_RATE, stock, entries)

    def _at_stock(self, name: str, stock: float, *, first: float) -> Entry:
        def trial(setting: float) -> tuple[float, Outcome]:
            outcome = self._outcome(self._policy(name, setting))
            return outcome.mean_stock, outcome

        within = _SCORES if name == OURS else _DEVIATIONS
        return _entry(name, reach(stock, trial, within=within, first=first))

    def _at_fill_rate(self, name: str) -> Entry:
        def trial(setting: float) -> tuple[float, Outcome]:
            outcome = self._outcome(self._policy(name, setting))
            return 1 - float(outcome.lost.sum() / outcome.wanted.sum()), outcome

        return _entry(name, reach(FILL_RATE, trial, within=_DEVIATIONS, first=2.5))

    def _policy(self, name: str, setting: float) -> Policy:
        shop, lead_days = self._shop, self._lead_days
        if name == SAFETY:
            return SafetyStock(shop.units[:, : shop.test_from], lead_days, z=setting)
        if name == ROLLING:
            return RollingSafetyStock(lead_days, z=setting)
        level = _NORMAL.cdf(setting)
        return Alerted(shop, self._learnt, lead_days, first=self._first, service_level=level)

    def _outcome(self, policy: Policy) -> Outcome:
        return outcome_of(replay(self._shop, policy, self._lead_days, first=self._first), TEST_DAYS)


#: Policies that ``Trials.contests`` tells of: three at one level of stock, two at the other.
N_DONE = 5


def _entry(name: str, tried: Tried[Outcome]) -> Entry:
    setting = _NORMAL.cdf(tried.setting) if name == OURS else tried.setting
    return Entry(setting, tried.found)
