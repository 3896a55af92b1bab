"""A warehouse under real demand: what is wanted beyond the shelf is lost, and nobody notes it.

A day begins with what arrives, goes on with what is bought, and ends with the review: each policy
orders what it likes. What is ordered on a day is on the shelf on the morning after as many full days
as the lead time has. On a day on which the shop is closed nobody buys and nobody reviews; deliveries
and lead times go on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stream.evaluation.shop import Counts, Flags, Shop

#: Days until somebody looks again.
REVIEW_DAYS = 1
#: Days before the first review whose sales the opening shelf is made from.
_OPENING_DAYS = 30
#: Room for rounding, as ``stream.domain.assessment`` leaves it.
_EPSILON = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a policy knows at the end of a day: never what was wanted, only what was sold.

    Attributes:
        today: Counted from the first day of the shop.
        sold: ``int64[product, day]``, *today* last.
        ran_out: ``bool[product, day]``: whether the shelf was empty at the end of that day.
        on_hand: ``int64[product]``.
        inbound: ``int64[product]``.
    """

    today: int
    sold: Counts
    ran_out: Flags
    on_hand: Counts
    inbound: Counts

    @property
    def position(self) -> Counts:
        """What is on the shelf and on the way."""
        return self.on_hand + self.inbound


class Policy(Protocol):
    """Orders at the end of each day on which the shop is open."""

    def orders(self, seen: Seen) -> Counts:
        """Return units to order of each product, ``int64[product]``, 0 for none."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """What a policy came to over all days that were simulated, ``int64[product, day]`` each.

    Attributes:
        first: The first of these days, counted from the first day of the shop.
        lead_days: Full days between an order and its arrival.
        on_hand: At the end of the day, before anything arrives.
        arrived: In the morning of the day.
        ordered: At the end of the day.
        is_open: ``bool[day]``.
    """

    first: int
    lead_days: int
    wanted: Counts
    on_hand: Counts
    lost: Counts
    arrived: Counts
    ordered: Counts
    is_open: Flags

    def last(self, n_days: int) -> Replay:
        """Return the last *n_days* of it."""
        return replace(
            self,
            first=self.first + self.wanted.shape[1] - n_days,
            wanted=self.wanted[:, -n_days:],
            on_hand=self.on_hand[:, -n_days:],
            lost=self.lost[:, -n_days:],
            arrived=self.arrived[:, -n_days:],
            ordered=self.ordered[:, -n_days:],
            is_open=self.is_open[-n_days:],
        )

    @property
    def mean_stock(self) -> float:
        """Units on a shelf at the end of an open day, mean over products and days."""
        return float(self.on_hand[:, self.is_open].mean())


def replay(shop: Shop, policy: Policy, lead_days: int, *, first: int) -> Replay:
    """Return what comes of *policy* from day *first* to the last.

    Every policy opens with the same shelves: as much as sold of late over lead time and review.
    """
    n_products, n_days = shop.units.shape
    on_hand = opening(shop, lead_days, first)
    sold, ran_out = shop.units.copy(), np.zeros(shop.units.shape, dtype=bool)
    arrived = np.zeros((n_products, n_days + lead_days + 1), dtype=np.int64)
    at_close, ordered = np.zeros_like(sold), np.zeros_like(sold)
    for day in range(first, n_days):
        on_hand = on_hand + arrived[:, day]
        sold[:, day] = np.minimum(on_hand, shop.units[:, day])
        on_hand = on_hand - sold[:, day]
        at_close[:, day], ran_out[:, day] = on_hand, on_hand == 0
        if shop.is_open[day]:
            inbound = arrived[:, day + 1 : day + lead_days + 1].sum(axis=1)
            until = slice(0, day + 1)
            seen = Seen(day, sold[:, until], ran_out[:, until], on_hand, inbound)
            ordered[:, day] = arrived[:, day + lead_days + 1] = policy.orders(seen)
    days = slice(first, n_days)
    wanted = shop.units[:, days]
    return Replay(
        first=first,
        lead_days=lead_days,
        wanted=wanted,
        on_hand=at_close[:, days],
        lost=wanted - sold[:, days],
        arrived=arrived[:, days],
        ordered=ordered[:, days],
        is_open=shop.is_open[days],
    )


def opening(shop: Shop, lead_days: int, first: int) -> Counts:
    """Return the shelves on the morning of *first*."""
    daily = shop.units[:, max(0, first - _OPENING_DAYS) : first].mean(axis=1)
    return whole(daily * (lead_days + REVIEW_DAYS))


def whole(units: NDArray[np.floating[Any]]) -> Counts:
    """Return *units* rounded up: nobody orders a part of one; less than 0 is 0."""
    up: Counts = np.ceil(np.maximum(units, 0) - _EPSILON).astype(np.int64)
    return up
