"""A store's past from a Parquet file: one row an act."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stream.domain.trail import Kind
from stream.errors import Misconfigured
from stream.training.deeds import Deeds, Numbers, in_time

#: By what a file calls them.
KINDS: Mapping[str, Kind] = {
    "view": Kind.VIEW,
    "click": Kind.CLICK,
    "add": Kind.ADD,
    "purchase": Kind.PURCHASE,
    "cancel": Kind.CANCEL,
}
_NEEDED = ("visitor_id", "product_id", "occurred_at_ms")
#: May be absent: everything is then a purchase, of one unit, at an unknown price.
_WELCOME = ("kind", "quantity", "price")
#: May also be absent in a row.
_MAY_BE_NULL = "price"


def read_file(path: Path) -> Deeds:
    """Return the acts in *path*, in order of time.

    Raises:
        Misconfigured: It cannot be read, lacks a column or a value, or holds nothing.
    """
    try:
        names = pq.read_schema(path).names
        missing = [name for name in _NEEDED if name not in names]
        if missing:
            raise Misconfigured(
                f"{path}: expected columns {', '.join(_NEEDED)} (and {', '.join(_WELCOME)} if known), "
                f"got {', '.join(names)}"
            )
        columns = [*_NEEDED, *(name for name in _WELCOME if name in names)]
        table = pq.read_table(path, columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise Misconfigured(f"{path}: expected a Parquet file: {error}") from error
    if not table.num_rows:
        raise Misconfigured(f"{path}: expected a row, got none")
    for name in columns:
        n_null = 0 if name == _MAY_BE_NULL else table[name].null_count
        if n_null:
            raise Misconfigured(f"{path}: expected a {name} in each row, got {n_null} without")
    return in_time(_deeds(path, table))


def _deeds(path: Path, table: pa.Table) -> Deeds:
    n_rows = table.num_rows
    quantities = np.ones(n_rows, dtype=np.int64)
    kinds = np.full(n_rows, Kind.PURCHASE, dtype=np.int64)
    if "quantity" in table.column_names:
        quantities = _numbers(path, table, "quantity")
        if (quantities < 1).any():
            raise Misconfigured(f"{path}: expected quantities from 1, got {quantities.min()}")
    if "kind" in table.column_names:
        kinds = _kinds(path, table)
    visitors, products = (table[name].cast(pa.string()).to_numpy() for name in _NEEDED[:2])
    at_ms = _numbers(path, table, "occurred_at_ms")
    prices = np.full(n_rows, np.nan)
    if "price" in table.column_names:
        prices = _prices(path, table)
    return Deeds(visitors.astype(object), products.astype(object), at_ms, kinds, quantities, prices)


def _prices(path: Path, table: pa.Table) -> NDArray[np.float64]:
    try:
        prices = pc.cast(table["price"], pa.float64()).to_numpy()
    except pa.ArrowException as error:
        raise Misconfigured(f"{path}: expected numbers in price: {error}") from error
    if (prices < 0).any():
        raise Misconfigured(f"{path}: expected prices from 0, got {np.nanmin(prices):g}")
    return np.asarray(prices, dtype=np.float64)


def _numbers(path: Path, table: pa.Table, name: str) -> Numbers:
    try:
        return np.asarray(pc.cast(table[name], pa.int64()).to_numpy(), dtype=np.int64)
    except pa.ArrowException as error:
        raise Misconfigured(f"{path}: expected whole numbers in {name}: {error}") from error


def _kinds(path: Path, table: pa.Table) -> Numbers:
    named = table["kind"].cast(pa.string()).to_numpy()
    if unknown := sorted(set(named.tolist()) - KINDS.keys()):
        raise Misconfigured(f"{path}: expected a kind of {', '.join(KINDS)}, got {unknown[0]!r}")
    return np.array([KINDS[name] for name in named.tolist()], dtype=np.int64)
