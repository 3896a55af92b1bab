"""What goes on in a store, drawn at random: every kind of event that state is made of."""

from __future__ import annotations

import random

from stream.domain.events import Item, OrderCancelled, OrderCompleted, ProductAdded
from stream.kafka.records import OutRecord
from tests.harness.events import count, order, receipt, view

_N_VISITORS = 120
_N_PRODUCTS = 80
#: Orders are of one aisle: what a product is bought with is counted exactly up to 20 others.
_AISLE = 16


def opening(chance: random.Random) -> list[OutRecord]:
    """A count of every shelf."""
    return [count(f"p{n}", chance.randrange(1, 40)) for n in range(_N_PRODUCTS)]


def trade(chance: random.Random, n_records: int) -> list[OutRecord]:
    """Views, adds, orders, cancellations and receipts; some shelves run empty."""
    return [_deal(chance, f"v{chance.randrange(_N_VISITORS)}") for _ in range(n_records)]


def _deal(chance: random.Random, visitor: str) -> OutRecord:
    product, what = f"p{chance.randrange(_N_PRODUCTS)}", chance.random()
    if what < 0.6:
        return view(visitor, product)
    if what < 0.75:
        return view(visitor, product, kind=ProductAdded)
    if what < 0.95:
        kind = OrderCancelled if what < 0.77 else OrderCompleted
        return order(visitor, *_items(chance), kind=kind)
    return receipt(product, chance.randrange(1, 30))


def _items(chance: random.Random) -> list[Item]:
    first = _AISLE * chance.randrange(_N_PRODUCTS // _AISLE)
    products = chance.sample(range(first, first + _AISLE), chance.randrange(1, 5))
    return [Item(f"p{n}", quantity=chance.randrange(1, 4)) for n in products]
