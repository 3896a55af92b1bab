"""What a visitor did, in columns: ids of products beside rows of fixed size.

Fifty interactions as objects would be made, compared, copied and stored one by one at every event.
As columns they are two strings, laid out as they are stored: adding one copies both, storing them
is copying them once more, and what kinds there are is one slice. Fifty ids as objects would have
their references counted, all over the memory, at each copy and again when it goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from functools import cache
from struct import Struct as Packing
from typing import NamedTuple

from msgspec import MsgspecError, Raw, Struct
from msgspec.msgpack import Decoder, Encoder

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

_packed = Encoder().encode
_unpacked = Decoder(tuple[str, ...]).decode
# MessagePack's own marks: an array of up to 15, a string of up to 31 bytes, of up to 255 bytes.
_SHORT_ARRAY = 0x90
_LONG_ARRAY = b"\xdc"
_SHORT_TEXT = 0xA0
_TEXT_8 = 0xD9


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
        ids: The product of each, as an array of MessagePack.
        rows: The rest of each, end to end.
    """

    ids: Raw = Raw(_packed(()))
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
        return cls(Raw(_packed([act.product_id for act in acts])), b"".join(rows))

    def __len__(self) -> int:
        return len(self.rows) // _ROW_BYTES

    def __iter__(self) -> Iterator[Interaction]:
        for product_id, row in zip(self.products, _ROW.iter_unpack(self.rows), strict=True):
            at_ms, place, record, kind, quantity = row
            topic, partition = divmod(place, 1 << _PARTITION_BITS)
            offset, line = divmod(record, 1 << _LINE_BITS)
            yield Interaction(
                at_ms, topic, partition, offset, line, product_id, Kind(kind), quantity
            )

    @property
    def products(self) -> tuple[str, ...]:
        """The product of each."""
        return _unpacked(self.ids)

    @property
    def is_whole(self) -> bool:
        """Whether each product has a row of a known kind, as in all that was not damaged."""
        try:
            n_bytes = len(self.products) * _ROW_BYTES
        except (MsgspecError, UnicodeDecodeError):
            return False
        return len(self.rows) == n_bytes and self.has_only(_KINDS)

    @property
    def kinds(self) -> bytes:
        """The kind of each, a byte each."""
        return self.rows[_KIND_AT::_ROW_BYTES]

    def has_only(self, kinds: bytes) -> bool:
        """Whether each is of one of *kinds*."""
        return not self.kinds.translate(None, kinds)

    def with_row(self, product_id: str, row: bytes, capacity: int) -> Trail:
        """Return the newest *capacity* of these and one more, wherever its time puts it."""
        rows, ids = self.rows, bytes(self.ids)
        n_acts = len(rows) // _ROW_BYTES
        if n_acts > capacity or rows[-_ROW_BYTES:] > row:
            return self._with_late(product_id, row, capacity)
        start = _array_of(n_acts)
        if n_acts < capacity:
            ids = _array_of(n_acts + 1) + ids[len(start) :] + _packed(product_id)
            return Trail(Raw(ids), rows + row)
        ids = start + ids[_end_of_text(ids, len(start)) :] + _packed(product_id)
        return Trail(Raw(ids), rows[_ROW_BYTES:] + row)

    def _with_late(self, product_id: str, row: bytes, capacity: int) -> Trail:
        rows, at = self.rows, self._place_of(row)
        products = [*self.products]
        products.insert(at, product_id)
        rows = rows[: at * _ROW_BYTES] + row + rows[at * _ROW_BYTES :]
        return Trail(Raw(_packed(products[-capacity:])), rows[-capacity * _ROW_BYTES :])

    def _place_of(self, row: bytes) -> int:
        """Return how many are not later than *row*; one that is late is seldom very late."""
        rows, at = self.rows, len(self)
        while at and rows[(at - 1) * _ROW_BYTES : at * _ROW_BYTES] > row:
            at -= 1
        return at


@cache
def _array_of(n_items: int) -> bytes:
    """Return how an array begins."""
    if n_items < _SHORT_TEXT - _SHORT_ARRAY:
        return bytes([_SHORT_ARRAY | n_items])
    return _LONG_ARRAY + n_items.to_bytes(2, "big")


def _end_of_text(packed: bytes, at: int) -> int:
    """Return where the string that begins *at* has ended."""
    mark = packed[at]
    if mark < _TEXT_8:
        return at + 1 + mark - _SHORT_TEXT
    if mark == _TEXT_8:
        return at + 2 + packed[at + 1]
    return at + 3 + int.from_bytes(packed[at + 1 : at + 3], "big")
