"""What a visitor did, in columns: ids of products beside rows of fixed size.

Fifty interactions as objects would be made, compared, copied and stored one by one at every event.
As columns they are a tuple and a string: adding one copies both, storing them costs two values, and
what kinds there are is one slice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from struct import Struct as Packing
from typing import NamedTuple

from msgspec import Struct

from stream.domain.applied import Source


class Kind(IntEnum):
    """What a visitor did with a product. The numbers are stored: never renumber."""

    VIEW = 1
    CLICK = 2
    ADD = 3
    REMOVE = 4
    CHECKOUT = 5
    PURCHASE = 6
    CANCEL = 7
    REFUND = 8


class Interaction(NamedTuple):
    """One act on one product. The fields before ``product_id`` are its place in event order."""

    occurred_at_ms: int
    topic: int
    partition: int
    offset: int
    line: int
    product_id: str
    kind: Kind
    quantity: int = 1


# Time, topic and partition, offset and line, kind, quantity. Big-endian and unsigned: rows compare as
# bytes the way the places at their beginning do.
_ROW = Packing(">QIQBI")
_ROW_BYTES = _ROW.size
_KIND_AT = Packing(">QIQ").size
_KINDS = bytes(Kind)
_PARTITION_BITS = 28
_LINE_BITS = 6


def row_of(
    source: Source, occurred_at_ms: int, kind: Kind, quantity: int, *, line: int = 0
) -> bytes:
    """Return one act as a row; *line* is below 64, so an offset has 58 bits."""
    return _ROW.pack(
        occurred_at_ms,
        source.topic << _PARTITION_BITS | source.partition,
        source.offset << _LINE_BITS | line,
        kind,
        quantity,
    )


class Trail(Struct, frozen=True, array_like=True, gc=False):
    """Interactions in event order, newest last.

    Attributes:
        products: The product of each.
        rows: The rest of each, end to end.
    """

    products: tuple[str, ...] = ()
    rows: bytes = b""

    @classmethod
    def of(cls, interactions: Iterable[Interaction]) -> Trail:
        """Return the trail of *interactions*, which are in event order; time begins in 1970."""
        acts = tuple(interactions)
        rows = [
            row_of(
                Source(act.topic, act.partition, 0, act.offset),
                max(0, act.occurred_at_ms),
                act.kind,
                act.quantity,
                line=act.line,
            )
            for act in acts
        ]
        return cls(tuple([act.product_id for act in acts]), b"".join(rows))

    def __len__(self) -> int:
        return len(self.products)

    def __iter__(self) -> Iterator[Interaction]:
        for product_id, row in zip(self.products, _ROW.iter_unpack(self.rows), strict=True):
            at_ms, place, record, kind, quantity = row
            topic, partition = divmod(place, 1 << _PARTITION_BITS)
            offset, line = divmod(record, 1 << _LINE_BITS)
            yield Interaction(
                at_ms, topic, partition, offset, line, product_id, Kind(kind), quantity
            )

    @property
    def is_whole(self) -> bool:
        """Whether each product has a row of a known kind, as in all that was not damaged."""
        n_bytes = len(self.products) * _ROW_BYTES
        return len(self.rows) == n_bytes and not self.kinds.translate(None, _KINDS)

    @property
    def kinds(self) -> bytes:
        """The kind of each, a byte each."""
        return self.rows[_KIND_AT::_ROW_BYTES]

    def with_row(self, product_id: str, row: bytes, capacity: int) -> Trail:
        """Return the newest *capacity* of these and one more, wherever its time puts it."""
        products, rows = self.products, self.rows
        n_over = len(products) + 1 - capacity
        n_over = max(0, n_over)
        if rows[-_ROW_BYTES:] <= row:
            return Trail((*products[n_over:], product_id), rows[n_over * _ROW_BYTES :] + row)
        at = self._place_of(row)
        products = (*products[:at], product_id, *products[at:])
        rows = rows[: at * _ROW_BYTES] + row + rows[at * _ROW_BYTES :]
        return Trail(products[n_over:], rows[n_over * _ROW_BYTES :])

    def _place_of(self, row: bytes) -> int:
        """Return how many are not later than *row*; one that is late is seldom very late."""
        rows, at = self.rows, len(self.products)
        while at and rows[(at - 1) * _ROW_BYTES : at * _ROW_BYTES] > row:
            at -= 1
        return at
