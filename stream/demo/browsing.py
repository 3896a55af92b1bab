"""Simulated browsing around real baskets: the data knows what was bought, not what was looked at.

Every event made here says ``simulated``, except the order itself. A session is deterministic by
its random generator and ends, at the latest, when its basket was paid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from stream.demo.catalogue import Catalogue
from stream.demo.household_orders import Basket
from stream.domain.events import (
    CartViewed,
    CheckoutStarted,
    Item,
    OrderCompleted,
    ProductAdded,
    ProductClicked,
    ProductListViewed,
    ProductRemoved,
    ProductsSearched,
    ProductViewed,
    VisitorEvent,
)

#: Chances of a shopper's acts; nobody measured them, they make a plausible day.
P_LIST, P_CLICK, P_VIEW, P_CONSIDER, P_REGRET = 0.2, 0.25, 0.6, 0.35, 0.2
P_SEARCH, P_LOOK_AT_CART, P_ABANDONED = 0.25, 0.6, 0.2
SECONDS_BETWEEN_ACTS = (5.0, 40.0)

#: An act waits for its number and its time.
Act = Callable[[str, int], VisitorEvent]


def visitor_of(household_id: int) -> str:
    """The visitor id of a household."""
    return f"household-{household_id}"


def order_of(basket: Basket, catalogue: Catalogue, *, shift_ms: int = 0) -> OrderCompleted:
    """The real order; ``shift_ms`` moves it to a later lap of the same weeks."""
    lap = f"+{shift_ms}" if shift_ms else ""
    return OrderCompleted(
        event_id=f"paid-{basket.basket_id}{lap}",
        occurred_at_ms=basket.paid_at_ms + shift_ms,
        visitor_id=visitor_of(basket.household_id),
        order_id=f"{basket.basket_id}{lap}",
        products=_items(basket, catalogue),
        value=round(sum(line.quantity * line.price for line in basket.lines), 2),
        currency="USD",
    )


def _items(basket: Basket, catalogue: Catalogue) -> tuple[Item, ...]:
    return tuple(
        Item(
            str(line.product_id),
            line.quantity,
            price=line.price,
            name=catalogue.name(line.product_id),
        )
        for line in basket.lines
    )


@dataclass(slots=True)
class Shopper:
    """One visitor's session in the making."""

    visitor_id: str
    catalogue: Catalogue
    random: Random
    acts: list[Act]

    def search(self, product_id: int) -> None:
        about = self.catalogue.descriptions.get(product_id)
        query = about.category.lower() if about and about.category else "offers"
        self._act(ProductsSearched, query=query)

    def see_list(self, product_id: int) -> None:
        shown = self.catalogue.alike(product_id)[:8]
        items = tuple(Item(str(each), position=i) for i, each in enumerate(shown))
        self._act(ProductListViewed, list_id="category", products=items)

    def click(self, product_id: int) -> None:
        self._act(ProductClicked, product_id=str(product_id), list_id="category")

    def view(self, product_id: int) -> None:
        name = self.catalogue.name(product_id)
        self._act(ProductViewed, product_id=str(product_id), name=name)

    def add(self, product_id: int, quantity: int = 1) -> None:
        self._act(ProductAdded, product_id=str(product_id), quantity=quantity)

    def remove(self, product_id: int) -> None:
        self._act(ProductRemoved, product_id=str(product_id))

    def look_at_cart(self, product_ids: Sequence[int]) -> None:
        items = tuple(Item(str(each)) for each in product_ids)
        self._act(CartViewed, products=items)

    def check_out(self, order: OrderCompleted) -> None:
        products, value = order.products, order.value
        self._act(CheckoutStarted, order_id=order.order_id, products=products, value=value)

    def _act(self, kind: type[VisitorEvent], **fields: object) -> None:
        def act(event_id: str, at_ms: int) -> VisitorEvent:
            common = {"event_id": event_id, "occurred_at_ms": at_ms, "simulated": True}
            return kind(visitor_id=self.visitor_id, **common, **fields)  # type: ignore[arg-type]

        self.acts.append(act)


def browse(order: OrderCompleted, catalogue: Catalogue, random: Random) -> list[VisitorEvent]:
    """What the visitor may have done before *order*, in order of time."""
    shopper = Shopper(order.visitor_id, catalogue, random, [])
    product_ids = [int(item.product_id) for item in order.products]
    if random.random() < P_SEARCH:
        shopper.search(product_ids[0])
    regretted: list[int] = []
    for item, product_id in zip(order.products, product_ids, strict=True):
        _come_across(shopper, product_id)
        shopper.add(product_id, item.quantity)
        if random.random() < P_CONSIDER:
            regretted.extend(_consider(shopper, product_id, set(product_ids)))
    for product_id in regretted:
        shopper.remove(product_id)
    if random.random() < P_LOOK_AT_CART:
        shopper.look_at_cart(product_ids)
    shopper.check_out(order)
    return _spread(shopper.acts, order, random)


def browse_only(
    order: OrderCompleted, until_ms: int, catalogue: Catalogue, random: Random
) -> list[VisitorEvent]:
    """Another session of the same visitor, ending at *until_ms* without an order."""
    shopper = Shopper(order.visitor_id, catalogue, random, [])
    in_basket: list[int] = []
    for item in random.sample(order.products, min(len(order.products), random.randint(1, 4))):
        product_id = random.choice(catalogue.alike(int(item.product_id))[:30])
        _come_across(shopper, product_id)
        shopper.view(product_id)
        if random.random() < 0.5:
            shopper.add(product_id)
            in_basket.append(product_id)
    if in_basket and random.random() < P_LOOK_AT_CART:
        shopper.look_at_cart(in_basket)
    left = OrderCompleted(
        event_id=f"left-{order.order_id}",
        occurred_at_ms=until_ms,
        visitor_id=order.visitor_id,
        order_id=f"left-{order.order_id}",
        products=order.products,
    )
    return _spread(shopper.acts, left, random)


def _come_across(shopper: Shopper, product_id: int) -> None:
    if shopper.random.random() < P_LIST:
        shopper.see_list(product_id)
    if shopper.random.random() < P_CLICK:
        shopper.click(product_id)
    if shopper.random.random() < P_VIEW:
        shopper.view(product_id)


def _consider(shopper: Shopper, product_id: int, bought: set[int]) -> list[int]:
    """Look at a product like this one; the answer is what must leave the basket again."""
    other = shopper.random.choice(shopper.catalogue.alike(product_id)[:30])
    if other in bought:
        return []
    shopper.view(other)
    if shopper.random.random() >= P_REGRET:
        return []
    shopper.add(other)
    return [other]


def _spread(acts: Sequence[Act], end: OrderCompleted, random: Random) -> list[VisitorEvent]:
    """Give each act its id and time, the last just before *end*, none on an earlier day."""
    gaps = [random.uniform(*SECONDS_BETWEEN_ACTS) for _ in acts]
    midnight = end.occurred_at_ms // 86_400_000 * 86_400_000
    room_ms = max(0, end.occurred_at_ms - midnight - 1)
    scale = min(1000.0, room_ms / max(sum(gaps), 1e-9))
    events: list[VisitorEvent] = []
    at = float(end.occurred_at_ms)
    for number in range(len(acts) - 1, -1, -1):
        at -= gaps[number] * scale
        events.append(acts[number](f"sim-{end.order_id}-{number}", int(at)))
    events.reverse()
    return events
