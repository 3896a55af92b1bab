"""Real demand by product and day, for a warehouse that never was: none of the data has stock."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import ArrowException

from stream.demo.household_orders import read_purchases
from stream.domain.calendar import weekday_of
from stream.errors import Misconfigured
from stream.evaluation.series import LINES, sales
from stream.model_specs import HISTORY_DAYS

#: Stands for the real orders that the demo replays.
DEMO = Path("demo")
#: The last days, on which the policies are compared.
TEST_DAYS = 90
#: Days before the test in which each policy comes to the stock that it keeps; they do not count.
RUN_IN_DAYS = 30
#: Days before the test on which a product must have sold: what sells less is ordered by hand.
MIN_SELLING_DAYS = 60

Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Shop:
    """What was wanted of each product on each day.

    Attributes:
        units: ``int64[product, day]``; the last ``TEST_DAYS`` are the test.
        is_open: ``bool[day]``: whether anything was sold; on other days nobody buys, and nobody
            looks after the shelves.
        first_day: In days since the Unix epoch.
    """

    name: str
    ids: tuple[str, ...]
    units: Counts
    is_open: Flags
    first_day: int

    @property
    def n_products(self) -> int:
        return len(self.ids)

    @property
    def test_from(self) -> int:
        """The first day of the test, counted from the first day."""
        return self.units.shape[1] - TEST_DAYS

    @property
    def first_weekday(self) -> int:
        """Monday is 0."""
        return weekday_of(self.first_day)

    @property
    def sha256(self) -> str:
        """Of ids and units, whatever file they came in."""
        digest = hashlib.sha256("\n".join(self.ids).encode())
        digest.update(str(self.units.shape).encode() + self.units.tobytes())
        return digest.hexdigest()

    def earlier(self) -> Shop:
        """Return the shop without its test, to choose settings by: the 90 days before are its test."""
        days = slice(0, self.test_from)
        return chosen(
            Shop(self.name, self.ids, self.units[:, days], self.is_open[days], self.first_day)
        )


def chosen(shop: Shop) -> Shop:
    """Return *shop* with the products that sold on ``MIN_SELLING_DAYS`` before the test only.

    Raises:
        ValueError: None did, or the days are too few.
    """
    needed = TEST_DAYS + RUN_IN_DAYS + HISTORY_DAYS
    if shop.units.shape[1] < needed:
        raise ValueError(f"expected at least {needed} days, got {shop.units.shape[1]}")
    enough = (shop.units[:, : shop.test_from] > 0).sum(axis=1) >= MIN_SELLING_DAYS
    if not enough.any():
        raise ValueError(
            f"expected a product sold on {MIN_SELLING_DAYS} days before the last {TEST_DAYS}"
        )
    ids = tuple(
        name for name, is_enough in zip(shop.ids, enough.tolist(), strict=True) if is_enough
    )
    return Shop(shop.name, ids, shop.units[enough], shop.is_open, shop.first_day)


def read_shop(dataset: Path) -> Shop:
    """Return the demand of *dataset*: ``demo``, or a Parquet file with the lines of invoices.

    Raises:
        Misconfigured: It cannot be read, lacks a column, or holds too little.
        LocalPartMissing: The demo's data is not installed.
    """
    try:
        return chosen(_demo() if dataset == DEMO else _file(dataset))
    except ValueError as error:
        raise Misconfigured(f"{dataset}: {error}") from error


def _demo() -> Shop:
    bought = read_purchases()
    return shop_of(DEMO.name, bought.product_id.tolist(), bought.days(), bought.quantity)


def _file(path: Path) -> Shop:
    try:
        names = pq.read_schema(path).names
        missing = [name for name in LINES if name not in names]
        if missing:
            raise ValueError(f"expected columns {', '.join(LINES)}, got {', '.join(names)}")
        rows = sales(pq.read_table(path, columns=list(LINES)).to_pandas())
    except (OSError, ArrowException) as error:
        raise ValueError(f"expected a Parquet file: {error}") from error
    days = rows["day"].to_numpy().astype("datetime64[D]").astype(np.int64)
    return shop_of(path.stem, rows["stock_code"].tolist(), days, rows["quantity"].to_numpy())


def shop_of(
    name: str, product_ids: Sequence[object], days: Counts, quantities: NDArray[np.integer[Any]]
) -> Shop:
    """Return the demand in lines of orders: a product, a day since the Unix epoch, and units.

    Raises:
        ValueError: There are none.
    """
    if not len(product_ids):
        raise ValueError("expected a line of goods, got none")
    ids, product = np.unique(np.array(list(map(str, product_ids))), return_inverse=True)
    first = int(days.min())
    units = np.zeros((len(ids), int(days.max()) - first + 1), dtype=np.int64)
    np.add.at(units, (product, days - first), quantities)
    return Shop(name, tuple(ids.tolist()), units, units.any(axis=0), first)
