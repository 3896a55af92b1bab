"""A very small store for the demo's tests."""

from __future__ import annotations

from datetime import date
from random import Random

import numpy as np

from stream.demo.catalogue import Catalogue, catalogue_of
from stream.demo.household_orders import DAY_MS, Description, Purchases, start_of

DESCRIPTIONS = {
    product_id: Description(
        "PRODUCE" if product_id % 2 else "GROCERY",
        "Private" if product_id % 3 == 0 else "National",
        "SOUP" if product_id < 20 else "CHEESE",
        f"KIND {product_id} OF GOODS",
        "1 LB",
    )
    for product_id in range(1, 40)
}


def make_random(seed: int) -> Random:
    return Random(seed)


def make_purchases(first: date, n_days: int, *, baskets_a_day: int = 5) -> Purchases:
    """Baskets of one to six lines, two hours apart, by ten households."""
    random = make_random(7)
    rows: list[tuple[int, int, int]] = []
    for basket_id in range(n_days * baskets_a_day):
        day, place = divmod(basket_id, baskets_a_day)
        at_ms = start_of(first) + day * DAY_MS + (8 + 2 * place) * 3_600_000
        products = random.sample(range(1, 40), random.randint(1, 6))
        rows.extend((at_ms, basket_id, product_id) for product_id in products)
    columns = np.array(rows, dtype=np.int64).T
    n_rows = len(rows)
    return Purchases(
        columns[0],
        columns[1],
        (columns[1] % 10).astype(np.int32),
        columns[2].astype(np.int32),
        np.full(n_rows, 2, dtype=np.int16),
        np.full(n_rows, 1.5, dtype=np.float32),
    )


def make_catalogue(purchases: Purchases, *, n_products: int = 30) -> Catalogue:
    return catalogue_of(purchases, DESCRIPTIONS, n_products=n_products)
