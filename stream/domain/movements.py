"""Order lines as stock movements: the same facts, keyed by product instead of visitor."""

from __future__ import annotations

from stream.domain.applied import Source
from stream.domain.events import (
    Item,
    OrderCancelled,
    OrderCompleted,
    OrderEvent,
    OrderRefunded,
    Origin,
    StockMovement,
)

#: Other products of the same order that a movement names.
MAX_BOUGHT_WITH = 10

_SIGNS: dict[type[OrderEvent], int] = {OrderCompleted: -1, OrderCancelled: 1, OrderRefunded: 1}


def movements_of(event: OrderEvent, source: Source) -> list[StockMovement]:
    """Return one movement for each line of *event*, in line order; none for a mere checkout.

    The origin is the same each time the record is read, so a movement published twice is known.
    """
    sign = _SIGNS.get(type(event))
    if sign is None or (isinstance(event, OrderRefunded) and not event.restocked):
        return []
    wanted_at_ms = event.ordered_at_ms if isinstance(event, OrderCancelled) else None
    products = tuple(dict.fromkeys(item.product_id for item in event.products))
    return [
        StockMovement(
            product_id=item.product_id,
            units=sign * item.quantity,
            occurred_at_ms=event.occurred_at_ms,
            origin=Origin(source.partition, source.epoch, source.offset, line),
            price=item.price,
            name=item.name,
            bought_with=_others(item, products),
            simulated=event.simulated,
            location=item.location,
            cause="return" if isinstance(event, OrderRefunded) else "order",
            wanted_at_ms=wanted_at_ms,
        )
        for line, item in enumerate(event.products)
    ]


def _others(item: Item, products: tuple[str, ...]) -> tuple[str, ...]:
    others = (product_id for product_id in products if product_id != item.product_id)
    return tuple(product_id for product_id, _ in zip(others, range(MAX_BOUGHT_WITH), strict=False))
