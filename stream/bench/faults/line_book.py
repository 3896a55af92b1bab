"""Which lines of which orders were re-keyed by product, and how often."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import msgspec

from stream.domain.events import OrderCancelled, OrderCompleted, OrderRefunded, StockMovement
from stream.topics import ORDERS

#: Partition, epoch and offset of an order.
Place = tuple[int, int, int]

_MOVING = frozenset(
    str(kind.__struct_config__.tag) for kind in (OrderCompleted, OrderCancelled, OrderRefunded)
)
_movement = msgspec.json.Decoder(StockMovement)


class _Order(msgspec.Struct):
    type: str
    products: tuple[msgspec.Raw, ...] = ()


_order = msgspec.json.Decoder(_Order)


class LineBook:
    """Orders and their lines; either may be heard of first."""

    def __init__(self) -> None:
        self._n_lines: dict[Place, int] = {}
        #: A bit for each line.
        self._moved: defaultdict[Place, int] = defaultdict(int)

    def sent(self, place: Place, order: bytes) -> None:
        """Write down an order; a mere checkout moves nothing."""
        read = _order.decode(order)
        if read.type in _MOVING:
            self._n_lines[place] = len(read.products)

    def moved(self, movement: bytes) -> bool:
        """Write down a movement; whether it is the first of its line."""
        origin = _movement.decode(movement).origin
        place, line = (origin.partition, origin.epoch, origin.offset), 1 << origin.line
        is_first = not self._moved[place] & line
        self._moved[place] |= line
        return is_first

    def unmoved(self) -> Iterator[str]:
        """Say which order lines were not re-keyed."""
        for place, n_lines in self._n_lines.items():
            partition, epoch, offset = place
            missing = ~self._moved.get(place, 0)
            for line in range(n_lines):
                if missing >> line & 1:
                    yield f"line {line} of {ORDERS.name}[{partition}]@{offset}, epoch {epoch}"
