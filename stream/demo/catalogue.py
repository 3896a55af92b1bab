"""The store's catalogue: the products that enough households buy, with names one can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from stream.demo.household_orders import Description, Purchases

N_PRODUCTS = 10_000
#: Departments whose goods arrive every day or two; an assumption of the simulation.
FRESH = frozenset(
    ("PRODUCE", "MEAT", "SEAFOOD", "PASTRY", "DELI", "SALAD BAR", "FLORAL", "CHEF SHOPPE")
)
UNKNOWN = Description("", "", "", "", "")


@dataclass(frozen=True, slots=True)
class CatalogueProduct:
    """A product on our shelves.

    Attributes:
        price: Median price of a unit.
        units_a_day: Mean units sold a day by the households of the data.
    """

    product_id: int
    name: str
    category: str
    department: str
    price: float
    units_a_day: float

    @property
    def is_fresh(self) -> bool:
        return self.department in FRESH


@dataclass(frozen=True)
class Catalogue:
    """Products by id, most bought first."""

    products: Mapping[int, CatalogueProduct]
    descriptions: Mapping[int, Description] = field(repr=False)

    def name(self, product_id: int) -> str:
        """A name for any product, also one outside the catalogue."""
        return readable_name(product_id, self.descriptions.get(product_id, UNKNOWN))

    def alike(self, product_id: int) -> Sequence[int]:
        """Products of the same category, most bought first; popular ones if it has none."""
        category = self.descriptions.get(product_id, UNKNOWN).category
        return self._by_category.get(category) or self._popular

    @cached_property
    def _by_category(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for product in self.products.values():
            found.setdefault(product.category, []).append(product.product_id)
        return found

    @cached_property
    def _popular(self) -> list[int]:
        return list(self.products)[:200]


def catalogue_of(
    past: Purchases, descriptions: Mapping[int, Description], *, n_products: int = N_PRODUCTS
) -> Catalogue:
    """The *n_products* that the most households bought in *past*.

    Rarer products stay in the orders, but have no stock level and are not recommended.
    """
    pairs = np.unique(past.product_id.astype(np.int64) << 32 | past.household_id) >> 32
    product_ids, n_buyers = np.unique(pairs, return_counts=True)
    popular = product_ids[np.lexsort((product_ids, -n_buyers))][:n_products].tolist()
    units, prices = _units_and_prices(past)
    n_days = max(1, len(np.unique(past.days())))
    products = {}
    for product_id in popular:
        about = descriptions.get(product_id, UNKNOWN)
        products[product_id] = CatalogueProduct(
            product_id,
            readable_name(product_id, about),
            about.category,
            about.department,
            round(prices[product_id], 2),
            units[product_id] / n_days,
        )
    return Catalogue(products, descriptions)


def _units_and_prices(past: Purchases) -> tuple[dict[int, float], dict[int, float]]:
    order = np.argsort(past.product_id, kind="stable")
    product_ids, starts = np.unique(past.product_id[order], return_index=True)
    units = np.add.reduceat(past.quantity[order].astype(np.float64), starts)
    prices = [float(np.median(part)) for part in np.split(past.price[order], starts[1:])]
    ids = product_ids.tolist()
    return dict(zip(ids, units.tolist(), strict=True)), dict(zip(ids, prices, strict=True))


def readable_name(product_id: int, about: Description) -> str:
    """For example ``Fluid milk white only, 1 GA (own brand)``."""
    kind = " ".join(about.kind.split()) or " ".join(about.category.split())
    if not kind:
        return f"Product {product_id}"
    category = " ".join(about.category.split())
    if len(kind) < 9 and category and category.split()[0] not in kind:
        kind = f"{category}: {kind}"
    package = " ".join(about.package.split())
    size = f", {package}" if package else ""
    brand = " (own brand)" if about.brand == "Private" else ""
    return f"{kind.capitalize()}{size}{brand}"
