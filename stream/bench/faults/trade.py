"""What goes on in a store, drawn at random: every kind of event that state is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

import msgspec

from stream.codec import encode
from stream.domain.events import (
    CartViewed,
    CheckoutStarted,
    Item,
    OrderCancelled,
    OrderCompleted,
    OrderEvent,
    OrderRefunded,
    ProductAdded,
    ProductClicked,
    ProductEvent,
    ProductRemoved,
    ProductsSearched,
    ProductViewed,
    StockAdjusted,
    StockLevelSet,
    StockReceived,
)
from stream.topics import EVENTS, ORDERS, STOCK_LEVELS, TopicSpec

N_VISITORS = 400
N_PRODUCTS = 96
#: Orders are of one aisle: what a product is bought with is counted exactly up to 20 others.
_AISLE = 16
_LEAD_TIME_DAYS = 5.0
_PRICE = 2.5


class Drawn(NamedTuple):
    """An event as its producer publishes it.

    Attributes:
        owed: Whether its visitor is owed an answer.
    """

    topic: TopicSpec
    key: bytes
    value: bytes
    owed: bool


class Trade:
    """Draws events; no event comes twice, and shelves run empty and are filled again."""

    def __init__(self, products: Sequence[str], random: Random) -> None:
        """Deal in the first of *products*, which the recommender knows."""
        self._products = tuple(products[:N_PRODUCTS])
        self._random = random
        self._n_drawn = 0
        kinds: dict[Callable[[int], Drawn], int] = {
            self._product(ProductViewed): 48,
            self._product(ProductClicked): 4,
            self._product(ProductAdded): 10,
            self._product(ProductRemoved): 3,
            self._search: 3,
            self._cart: 2,
            self._order(OrderCompleted): 14,
            self._order(CheckoutStarted): 2,
            self._order(OrderCancelled): 2,
            self._order(OrderRefunded): 2,
            self._count: 5,
            self._receipt: 3,
            self._correction: 2,
        }
        self._kinds, self._weights = tuple(kinds), tuple(kinds.values())

    def opening(self, at_ms: int) -> list[Drawn]:
        """Return a count of every shelf."""
        return [self._counted(product_id, at_ms) for product_id in self._products]

    def draw(self, at_ms: int) -> Drawn:
        """Return what happens at *at_ms*."""
        [kind] = self._random.choices(self._kinds, self._weights)
        return kind(at_ms)

    # -- visitors

    def _product(self, kind: type[ProductEvent]) -> Callable[[int], Drawn]:
        def drawn(at_ms: int) -> Drawn:
            who, id_, product_id = self._visitor(), self._id(), self._any()
            event = kind(event_id=id_, occurred_at_ms=at_ms, visitor_id=who, product_id=product_id)
            return _by_visitor(EVENTS, who, event)

        return drawn

    def _search(self, at_ms: int) -> Drawn:
        who = self._visitor()
        event = ProductsSearched(
            event_id=self._id(), occurred_at_ms=at_ms, visitor_id=who, query="milk"
        )
        return _by_visitor(EVENTS, who, event, owed=False)

    def _cart(self, at_ms: int) -> Drawn:
        who = self._visitor()
        event = CartViewed(
            event_id=self._id(), occurred_at_ms=at_ms, visitor_id=who, products=self._items()
        )
        return _by_visitor(EVENTS, who, event)

    def _order(self, kind: type[OrderEvent]) -> Callable[[int], Drawn]:
        def drawn(at_ms: int) -> Drawn:
            who, id_ = self._visitor(), self._id()
            event = kind(
                event_id=id_,
                occurred_at_ms=at_ms,
                visitor_id=who,
                order_id=f"order-{id_}",
                products=self._items(),
            )
            return _by_visitor(ORDERS, who, event)

        return drawn

    # -- products

    def _count(self, at_ms: int) -> Drawn:
        return self._counted(self._any(), at_ms)

    def _counted(self, product_id: str, at_ms: int) -> Drawn:
        event = StockLevelSet(
            event_id=self._id(),
            occurred_at_ms=at_ms,
            product_id=product_id,
            on_hand=self._random.randrange(40),
            lead_time_days=_LEAD_TIME_DAYS,
            price=_PRICE,
        )
        return _by_product(product_id, event)

    def _receipt(self, at_ms: int) -> Drawn:
        product_id, quantity = self._any(), self._random.randrange(1, 30)
        event = StockReceived(
            event_id=self._id(), occurred_at_ms=at_ms, product_id=product_id, quantity=quantity
        )
        return _by_product(product_id, event)

    def _correction(self, at_ms: int) -> Drawn:
        product_id, difference = self._any(), self._random.randrange(-3, 4)
        event = StockAdjusted(
            event_id=self._id(), occurred_at_ms=at_ms, product_id=product_id, difference=difference
        )
        return _by_product(product_id, event)

    # -- who and what

    def _id(self) -> str:
        self._n_drawn += 1
        return f"event-{self._n_drawn}"

    def _visitor(self) -> str:
        return f"visitor-{self._random.randrange(N_VISITORS)}"

    def _any(self) -> str:
        return self._random.choice(self._products)

    def _items(self) -> tuple[Item, ...]:
        first = _AISLE * self._random.randrange(max(1, len(self._products) // _AISLE))
        aisle = self._products[first : first + _AISLE]
        chosen = self._random.sample(aisle, self._random.randrange(1, 4))
        return tuple(Item(each, quantity=self._random.randrange(1, 4)) for each in chosen)


def _by_visitor(topic: TopicSpec, who: str, event: msgspec.Struct, *, owed: bool = True) -> Drawn:
    return Drawn(topic, who.encode(), encode(event), owed)


def _by_product(product_id: str, event: msgspec.Struct) -> Drawn:
    return Drawn(STOCK_LEVELS, product_id.encode(), encode(event), owed=False)
