"""Shops with a few products, and policies that do as they are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from stream.evaluation.shop import Counts, Shop
from stream.evaluation.warehouse import Seen

#: 2017-01-02, a Monday.
MONDAY = 17_168


def make_shop(units: Sequence[Sequence[int]], *, closed: Sequence[int] = ()) -> Shop:
    """Return what was wanted, a row a product; on *closed* days nobody came."""
    wanted = np.array(units, dtype=np.int64)
    is_open = ~np.isin(np.arange(wanted.shape[1]), closed)
    ids = tuple(f"product-{at}" for at in range(len(wanted)))
    return Shop("corner shop", ids, wanted, is_open, MONDAY)


class Told:
    """Orders of the only product what it was told to on each day, and keeps what it saw."""

    def __init__(self, orders: Mapping[int, int]) -> None:
        self._orders = orders
        self.seen: list[Seen] = []

    def orders(self, seen: Seen) -> Counts:
        self.seen.append(seen)
        return np.array([self._orders.get(seen.today, 0)])
