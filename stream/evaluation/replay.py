"""The demo's orders, split by time: what was bought before, and what came with the next order.

Real orders only. The browsing that the demo simulates around them is made of their products: it
would tell the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.demo.catalogue import Catalogue
from stream.demo.household_orders import DAY_MS, Purchases, start_of
from stream.demo.replay import REPLAYED_FROM, REPLAYED_UNTIL
from stream.domain.trail import Kind
from stream.evaluation.histories import Histories
from stream.evaluation.questions import Questions, Split
from stream.models.acts import Acts, Row

#: What comes before is learnt from; the orders from here to the replay validate.
VALIDATED_FROM = REPLAYED_FROM - timedelta(days=14)
#: Nothing bought so lately is shown, as the worker has it by default.
_LEFT_OUT_MS = DAY_MS
#: Orders asked about; a ranker in Python takes some milliseconds for each.
_N_TESTED, _N_VALIDATED = 8_000, 2_000


class _Household(NamedTuple):
    """The lines of one visitor in order of time, in columns."""

    bought: Acts
    basket_id: Row


def by_time(purchases: Purchases, catalogue: Catalogue, *, seed: int) -> tuple[Histories, Split]:
    """Return what households bought of *catalogue*, and what is asked about it."""
    known = np.sort(np.fromiter(catalogue.products, dtype=np.int32))
    lines = purchases.of_products(known)
    index = np.searchsorted(known, lines.product_id).astype(np.int64) + 1
    households = _households(lines, index)
    begin, test, end = map(start_of, (VALIDATED_FROM, REPLAYED_FROM, REPLAYED_UNTIL))
    n_past = int(np.searchsorted(lines.paid_at_ms, begin))
    split = Split(
        train=tuple(_before(household, begin) for household in households),
        sessions=tuple(_cut(index[:n_past], lines.basket_id[:n_past])),
        validation=_asked(households, begin, test).some(_N_VALIDATED, seed=seed),
        test=_asked(households, test, end).some(_N_TESTED, seed=seed),
    )
    products = tuple(map(str, known.tolist()))
    return Histories(products, tuple(household.bought for household in households)), split


def _households(lines: Purchases, index: Row) -> list[_Household]:
    order = np.argsort(lines.household_id, kind="stable")
    owners = lines.household_id[order]
    bought = np.full(len(index), Kind.PURCHASE, dtype=np.int64)
    columns = (index, lines.paid_at_ms, bought, lines.basket_id)
    items, paid_at_ms, kinds, basket_id = (_cut(column[order], owners) for column in columns)
    acts = map(Acts, items, paid_at_ms, kinds)
    return list(map(_Household, acts, basket_id))


def _cut(column: Row, owners: NDArray[np.integer[Any]]) -> list[Row]:
    """Return *column* in pieces, a new one wherever *owners* change."""
    return np.split(column, np.flatnonzero(np.diff(owners)) + 1)


def _before(household: _Household, time_ms: int) -> Acts:
    return household.bought.first(int(np.searchsorted(household.bought.at_ms, time_ms)))


def _asked(households: list[_Household], from_ms: int, until_ms: int) -> Questions:
    """Return a question for each order of that time of a visitor who had bought something before."""
    asked = [
        (visitor, *question)
        for visitor, household in enumerate(households)
        for question in _orders(household, from_ms, until_ms)
    ]
    visitors, histories, answers, left_out = zip(*asked, strict=True)
    return Questions(np.array(visitors), histories, answers, left_out)


def _orders(household: _Household, from_ms: int, until_ms: int) -> Iterator[tuple[Acts, Row, Row]]:
    """Yield what was bought before each order, what came with it, and what was bought of late."""
    bought, basket_id = household
    items, paid_at_ms, _ = bought
    starts = np.flatnonzero(np.diff(basket_id, prepend=-1))
    ends = np.append(starts[1:], len(items))
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if start and from_ms <= paid_at_ms[start] < until_ms:
            lately = int(np.searchsorted(paid_at_ms, paid_at_ms[start] - _LEFT_OUT_MS))
            yield bought.first(start), np.unique(items[start:end]), items[lately:start]
