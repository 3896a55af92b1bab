"""A visitor's session: the last interactions, whichever way they arrived.

The fold is a set of the newest ``MAX_ITEMS`` interactions under a total order that does not
mention arrival. So two topics may interleave either way, events may come late, and records may
come again, and the session is the same.

What becomes an interaction: clicks and views of a product, clicks on a recommendation, adds,
removes, and the lines of an order event. Searches, lists, shown recommendations and cart views
do not: they list products that the visitor did not act on, and would push out those she did.
"""

from __future__ import annotations

from collections.abc import Sequence

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
from stream.domain.trail import Interaction, Kind, Trail, row_of
from stream.model_specs import MAX_ITEMS

__all__ = [
    "MAX_ITEMS",
    "Interaction",
    "Kind",
    "Session",
    "SessionEvent",
    "Source",
    "advance",
    "basket",
    "bought_since",
    "has_applied",
    "has_only_browsed",
    "is_answered",
    "is_resend",
    "latest_products",
]

SessionEvent = ClickstreamEvent | OrdersEvent


class Session(Struct, frozen=True, array_like=True, gc=False):
    """What is remembered of one visitor.

    Attributes:
        trail: At most ``MAX_ITEMS`` interactions, in event order, newest last.
        applied: How far each topic-partition was folded; sorted.
        updated_at_ms: Time of the latest event folded in, of any type.
    """

    trail: Trail = Trail()
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
#: Acts that say what a visitor is drawn to; the model reads these (``history.py``).
DRAWN_TO = bytes([Kind.VIEW, Kind.ADD, Kind.CLICK, Kind.PURCHASE])
#: Acts that put nothing into the basket and take nothing out; nor do they buy.
_BROWSING = bytes([Kind.VIEW, Kind.CLICK, Kind.CANCEL, Kind.REFUND])


def advance(session: Session, event: SessionEvent, source: Source) -> Session:
    """Return the session after *event*; an event folded before changes nothing else.

    A record folded before changes nothing at all: *session* itself comes back. Events of one
    topic-partition come in offset order; between partitions any order will do.
    """
    applied, is_new = memory.take(session.applied, source, _id_of(event))
    if applied is session.applied:
        return session
    trail, latest_ms, at_ms = session.trail, session.updated_at_ms, event.occurred_at_ms
    if is_new:
        trail = _followed(trail, event, source)
        latest_ms = max(latest_ms, at_ms)
    return Session(trail, applied, latest_ms)


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


def has_only_browsed(session: Session) -> bool:
    """Whether nothing was bought and nothing is in the basket, as in most sessions; soon told."""
    return session.trail.has_only(_BROWSING)


def basket(session: Session) -> frozenset[str]:
    """Return the products in the basket now, as far as the remembered interactions tell.

    Adds and removes count units; a checkout says what is in it at least; an order empties it of
    what it bought.
    """
    units: dict[str, int] = {}
    for act in session.trail:
        in_basket = units.get(act.product_id, 0)
        if act.kind is Kind.ADD:
            units[act.product_id] = in_basket + act.quantity
        elif act.kind is Kind.REMOVE:
            units[act.product_id] = max(0, in_basket - act.quantity)
        elif act.kind is Kind.CHECKOUT:
            units[act.product_id] = max(in_basket, act.quantity)
        elif act.kind is Kind.PURCHASE:
            units[act.product_id] = 0
    return frozenset([product_id for product_id, count in units.items() if count > 0])


def bought_since(session: Session, since_ms: int) -> frozenset[str]:
    """Return the products bought at *since_ms* or later, also those cancelled or returned since."""
    bought = Kind.PURCHASE
    return frozenset(
        [
            act.product_id
            for act in session.trail
            if act.kind is bought and act.occurred_at_ms >= since_ms
        ]
    )


def latest_products(session: Session, n_products: int) -> list[str]:
    """Return the products last acted on, latest first, each once."""
    latest: list[str] = []
    for product_id in reversed(_drawn_to(session.trail)):
        if product_id not in latest:
            latest.append(product_id)
            if len(latest) == n_products:
                break
    return latest


def _drawn_to(trail: Trail) -> Sequence[str]:
    if trail.has_only(DRAWN_TO):
        return trail.products
    acts = zip(trail.products, trail.kinds, strict=True)
    return [product_id for product_id, kind in acts if kind in DRAWN_TO]


def _id_of(event: SessionEvent) -> bytes:
    """An order is completed once, so its id tells; other events of one order may be partial."""
    if type(event) is OrderCompleted:
        return memory.fingerprint(f"order_completed/{event.order_id}")
    return memory.fingerprint(event.event_id)


def _followed(trail: Trail, event: SessionEvent, source: Source) -> Trail:
    kind = _KINDS.get(type(event))
    if kind is None:
        return trail
    at_ms = event.occurred_at_ms
    if isinstance(event, ProductEvent):
        row = row_of(source, at_ms, kind, event.quantity)
        return trail.with_row(event.product_id, row, MAX_ITEMS)
    if isinstance(event, OrderEvent):
        for line, item in enumerate(event.products[:MAX_ITEMS]):
            row = row_of(source, at_ms, kind, item.quantity, line=line)
            trail = trail.with_row(item.product_id, row, MAX_ITEMS)
    elif isinstance(event, RecommendationClicked):
        row = row_of(source, at_ms, kind, 1)
        trail = trail.with_row(event.product_id, row, MAX_ITEMS)
    return trail
