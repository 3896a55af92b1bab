"""What visitors acted on, from a file: one row an interaction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import ArrowException

from stream.domain.trail import Kind
from stream.errors import Misconfigured
from stream.models.acts import Acts, Row

#: A visitor, the place of an interaction among the visitor's, and what it was with.
COLUMNS = ("user_id", "pos", "item_id")


@dataclass(frozen=True, slots=True)
class Histories:
    """Products by visitor.

    Attributes:
        product_ids: Entry ``i`` has index ``i + 1``.
        rows: What visitors did, one each, by these indices.
    """

    product_ids: tuple[str, ...]
    rows: tuple[Acts, ...]

    @property
    def n_interactions(self) -> int:
        return sum(len(row.items) for row in self.rows)

    @property
    def sha256(self) -> str:
        """Of product ids and rows, whatever file they came in."""
        digest = hashlib.sha256("\n".join(self.product_ids).encode())
        for row in self.rows:
            digest.update(len(row.items).to_bytes(8, "little") + row.items.tobytes())
        return digest.hexdigest()

    def named(self, rows: Sequence[Acts]) -> list[list[str]]:
        """Return the products of *rows* by their ids."""
        names = np.array(["", *self.product_ids], dtype=object)
        return [names[row.items].tolist() for row in rows]


def read_histories(path: Path) -> Histories:
    """Return the histories in a Parquet file with ``COLUMNS``.

    Raises:
        Misconfigured: It cannot be read, lacks a column, or holds nothing.
    """
    try:
        names = pq.read_schema(path).names
        missing = [name for name in COLUMNS if name not in names]
        table = None if missing else pq.read_table(path, columns=list(COLUMNS))
    except (OSError, ArrowException) as error:
        raise Misconfigured(f"{path}: expected a Parquet file: {error}") from error
    if table is None or not table.num_rows:
        got = "no row" if table is not None else f"columns {', '.join(names)}"
        raise Misconfigured(f"{path}: expected rows of {', '.join(COLUMNS)}, got {got}")
    users, places, items = (table[name].to_numpy() for name in COLUMNS)
    return grouped(users, places, items)


def grouped(users: NDArray[np.generic], places: Row, items: NDArray[np.generic]) -> Histories:
    """Return the histories in columns of equal length, rows in the order of *users*."""
    known, indices = np.unique(items, return_inverse=True)
    order = np.lexsort((places, users))
    cuts = np.flatnonzero(users[order][1:] != users[order][:-1]) + 1
    rows = np.split(indices[order].astype(np.int64) + 1, cuts)
    return Histories(tuple(map(str, known.tolist())), tuple(map(in_order, rows)))


def in_order(items: Row) -> Acts:
    """Return views of *items*, of which only the order is known."""
    return Acts(items, np.arange(len(items)), np.full(len(items), Kind.VIEW, dtype=np.int64))


def padded(rows: Sequence[Row]) -> Row:
    """Return ``int64[row, item]``: the rows with zeros on their left."""
    whole = np.zeros((len(rows), max(map(len, rows), default=0)), dtype=np.int64)
    for at, row in enumerate(rows):
        whole[at, whole.shape[1] - len(row) :] = row
    return whole
