"""A visitor's session: the last interactions, whichever way they arrived.

The fold is a set of the newest ``MAX_ITEMS`` interactions under a total order that does not
mention arrival. So two topics may interleave either way, events may come late, and records may
come again, and the session is the same.

What becomes an interaction: clicks and views of a product, clicks on a recommendation, adds,
removes, and the lines of an order event. Searches, lists, shown recommendations and cart views
do not: they list products that the visitor did not act on, and would push out those she did.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from enum import IntEnum

from msgspec import Struct

from stream.domain import applied as memory
from stream.domain.applied import Applied, Source
from stream.domain.events import (
    ANSWERED,
    CheckoutStarted,
    ClickstreamEvent,
    OrderCancelled,
    OrderCompleted,
    OrderEvent,
    OrderRefunded,
    OrdersEvent,
    ProductAdded,
    ProductClicked,
    ProductEvent,
    ProductRemoved,
    ProductViewed,
    RecommendationClicked,
    VisitorEvent,
)
from stream.model_specs import MAX_ITEMS

__all__ = [
    "MAX_ITEMS",
    "Interaction",
    "Kind",
    "Session",
    "SessionEvent",
    "Source",
    "advance",
    "advance_all",
    "basket",
    "bought_since",
    "has_applied",
    "is_answered",
    "is_resend",
    "latest_products",
    "product_history",
]

SessionEvent = ClickstreamEvent | OrdersEvent


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


class Interaction(Struct, frozen=True, array_like=True, order=True, gc=False):
    """One act on one product. The fields before ``product_id`` are its place in event order."""

    occurred_at_ms: int
    topic: int
    partition: int
    offset: int
    line: int
    product_id: str
    kind: Kind
    quantity: int = 1


class Session(Struct, frozen=True, array_like=True, gc=False):
    """What is remembered of one visitor.

    Attributes:
        interactions: At most ``MAX_ITEMS``, in event order, newest last.
        applied: How far each topic-partition was folded; sorted.
        updated_at_ms: Time of the latest event folded in, of any type.
    """

    interactions: tuple[Interaction, ...] = ()
    applied: tuple[Applied, ...] = ()
    updated_at_ms: int = 0


_KINDS: dict[type[VisitorEvent], Kind] = {
    ProductViewed: Kind.VIEW,
    ProductClicked: Kind.CLICK,
    RecommendationClicked: Kind.CLICK,
    ProductAdded: Kind.ADD,
    ProductRemoved: Kind.REMOVE,
    CheckoutStarted: Kind.CHECKOUT,
    OrderCompleted: Kind.PURCHASE,
    OrderCancelled: Kind.CANCEL,
    OrderRefunded: Kind.REFUND,
}
_ANSWERED = frozenset(ANSWERED)
#: Acts that say what a visitor is drawn to; the model reads these.
_DRAWN_TO = (Kind.VIEW, Kind.ADD, Kind.CLICK, Kind.PURCHASE)
#: Acts that put nothing into the basket and take nothing out. Tuples: membership of an enum in a
#: set hashes its name each time, and most acts are views, found first.
_NOT_OF_THE_BASKET = (Kind.VIEW, Kind.CLICK, Kind.CANCEL, Kind.REFUND)


def advance(session: Session, event: SessionEvent, source: Source) -> Session:
    """Return the session after *event*; a record or an event folded before changes nothing else."""
    return advance_all(session, ((event, source),))


def advance_all(session: Session, events: Sequence[tuple[SessionEvent, Source]]) -> Session:
    """Return the session after *events*, as folding them one by one would.

    *events* of one topic-partition are in offset order; between partitions any order will do.
    """
    interactions = list(session.interactions)
    applied, updated_at_ms = session.applied, session.updated_at_ms
    for event, source in events:
        applied, is_new = memory.take(applied, source, _id_of(event))
        if not is_new:
            continue
        updated_at_ms = max(updated_at_ms, event.occurred_at_ms)
        for interaction in _interactions(event, source):
            _insert(interactions, interaction)
        del interactions[:-MAX_ITEMS]
    if applied is session.applied:
        return session
    return Session(tuple(interactions), applied, updated_at_ms)


def has_applied(session: Session, source: Source) -> bool:
    """Whether the record at *source* was folded already: Kafka delivered it again."""
    return memory.is_applied(session.applied, source)


def is_resend(session: Session, event: SessionEvent, source: Source) -> bool:
    """Whether the store sent *event* before, in another record: its lines must not move stock.

    Ask after folding; true only within the last ``RECENT_IDS`` events of the topic.
    """
    return memory.is_resend(session.applied, source, _id_of(event))


def is_answered(event: SessionEvent) -> bool:
    """Whether the visitor is owed a recommendation after *event*."""
    return type(event) in _ANSWERED


def basket(session: Session) -> frozenset[str]:
    """Return the products in the basket now, as far as the remembered interactions tell.

    Adds and removes count units; a checkout says what is in it at least; an order empties it of
    what it bought.
    """
    acts = [act for act in session.interactions if act.kind not in _NOT_OF_THE_BASKET]
    units: dict[str, int] = {}
    for act in acts:
        in_basket = units.get(act.product_id, 0)
        if act.kind == Kind.ADD:
            units[act.product_id] = in_basket + act.quantity
        elif act.kind == Kind.REMOVE:
            units[act.product_id] = max(0, in_basket - act.quantity)
        elif act.kind == Kind.CHECKOUT:
            units[act.product_id] = max(in_basket, act.quantity)
        elif act.kind == Kind.PURCHASE:
            units[act.product_id] = 0
    return frozenset([product_id for product_id, count in units.items() if count > 0])


def bought_since(session: Session, since_ms: int) -> frozenset[str]:
    """Return the products bought at *since_ms* or later, also those cancelled or returned since."""
    bought = Kind.PURCHASE
    return frozenset(
        [
            act.product_id
            for act in session.interactions
            if act.kind is bought and act.occurred_at_ms >= since_ms
        ]
    )


def product_history(session: Session) -> list[str]:
    """Return what the model reads: products acted on, oldest first, at most ``MAX_ITEMS``.

    A run of acts on one product (viewed, added) is one entry: it is one interest, and repeating
    it would push older ones out.
    """
    history: list[str] = []
    for act in session.interactions:
        if act.kind in _DRAWN_TO and not (history and history[-1] == act.product_id):
            history.append(act.product_id)
    return history


def latest_products(session: Session, n_products: int) -> list[str]:
    """Return the products last acted on, latest first, each once."""
    latest: list[str] = []
    for act in reversed(session.interactions):
        if len(latest) == n_products:
            break
        if act.product_id not in latest and act.kind in _DRAWN_TO:
            latest.append(act.product_id)
    return latest


def _id_of(event: SessionEvent) -> bytes:
    """An order is completed once, so its id tells; other events of one order may be partial."""
    if type(event) is OrderCompleted:
        return memory.fingerprint(f"order_completed/{event.order_id}")
    return memory.fingerprint(event.event_id)


def _interactions(event: SessionEvent, source: Source) -> list[Interaction]:
    kind = _KINDS.get(type(event))
    if kind is None:
        return []
    at_ms, (topic, partition, _, offset) = event.occurred_at_ms, source
    if isinstance(event, OrderEvent):
        return [
            Interaction(at_ms, topic, partition, offset, line, item.product_id, kind, item.quantity)
            for line, item in enumerate(event.products[:MAX_ITEMS])
        ]
    if isinstance(event, ProductEvent):
        product_id, quantity = event.product_id, event.quantity
        return [Interaction(at_ms, topic, partition, offset, 0, product_id, kind, quantity)]
    if isinstance(event, RecommendationClicked):
        return [Interaction(at_ms, topic, partition, offset, 0, event.product_id, kind)]
    return []


def _insert(interactions: list[Interaction], interaction: Interaction) -> None:
    if not interactions or interactions[-1] <= interaction:
        interactions.append(interaction)
    else:
        insort(interactions, interaction)
