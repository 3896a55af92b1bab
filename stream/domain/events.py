"""What happens in a store: the events producers send, as frozen values.

Names follow Segment's e-commerce events in snake case; GA4 and Google retail names map onto
them (see ``schemas/README.md``). One tagged union per topic; the tag is the field ``type``.
All times are milliseconds since the Unix epoch and mean when it happened, not when it was sent.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Id = Annotated[str, Meta(min_length=1, max_length=128, description="Opaque identifier")]
TimeMs = Annotated[
    int, Meta(ge=0, le=253_402_300_799_999, description="Milliseconds since the Unix epoch")
]
Text = Annotated[str, Meta(max_length=512)]
Location = Annotated[str, Meta(max_length=64, description="Name of a warehouse or a shop")]
Quantity = Annotated[int, Meta(ge=1, le=1_000_000, description="Units, at least one")]
Units = Annotated[int, Meta(ge=0, le=1_000_000_000, description="Units in stock")]
Money = Annotated[float, Meta(ge=0, le=1e12, description="Amount in the event's currency")]
# The length as well: in Python `$` is before a line break at the end, too.
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", max_length=3, description="ISO 4217 code")]
Position = Annotated[int, Meta(ge=0, le=100_000)]
#: Of any topic: what a product remembers grows with the partitions that orders came from.
MAX_PARTITIONS = 4096
Partition = Annotated[int, Meta(ge=0, lt=MAX_PARTITIONS)]
Ordinal = Annotated[int, Meta(ge=0, le=2**63 - 1)]
#: Of an order.
MAX_LINES = 500
#: Of one product on its way to one location.
MAX_DELIVERIES = 16
Line = Annotated[int, Meta(ge=0, lt=MAX_LINES)]
Difference = Annotated[int, Meta(ge=-1_000_000, le=1_000_000, description="Signed units")]
Days = Annotated[float, Meta(ge=0, le=365)]


class Item(Struct, frozen=True, gc=False, omit_defaults=True):
    """One product in a list, a cart or an order."""

    product_id: Id
    quantity: Quantity = 1
    price: Money | None = None
    position: Position | None = None
    sku: Text | None = None
    name: Text | None = None
    category: Text | None = None
    brand: Text | None = None
    variant: Text | None = None
    #: Where the units leave from or come back to, of an order's line. GA4: location_id.
    location: Location | None = None


Items = Annotated[tuple[Item, ...], Meta(min_length=1, max_length=MAX_LINES)]
ShownItems = Annotated[tuple[Item, ...], Meta(max_length=500)]


class StoreEvent(Struct, frozen=True, gc=False, omit_defaults=True, tag_field="type", kw_only=True):
    """What every event carries."""

    event_id: Id
    occurred_at_ms: TimeMs
    simulated: bool = False


class VisitorEvent(StoreEvent, frozen=True, omit_defaults=True, kw_only=True):
    """An event of one visitor; the record's key is the visitor."""

    visitor_id: Id


# --- store.events.v1 ---------------------------------------------------------------------------


class ProductsSearched(VisitorEvent, frozen=True, tag="products_searched", kw_only=True):
    """The visitor searched. Segment: Products Searched. GA4: search."""

    query: Text


class ProductListViewed(VisitorEvent, frozen=True, tag="product_list_viewed", kw_only=True):
    """A list of products was shown. Segment: Product List Viewed. GA4: view_item_list."""

    list_id: Text | None = None
    products: ShownItems = ()


class ProductEvent(VisitorEvent, frozen=True, omit_defaults=True, kw_only=True):
    """An event about one product."""

    product_id: Id
    quantity: Quantity = 1
    price: Money | None = None
    position: Position | None = None
    sku: Text | None = None
    name: Text | None = None
    category: Text | None = None
    brand: Text | None = None
    variant: Text | None = None
    coupon: Text | None = None


class ProductClicked(ProductEvent, frozen=True, tag="product_clicked", kw_only=True):
    """A product in a list was clicked. Segment: Product Clicked. GA4: select_item."""

    list_id: Text | None = None


class ProductViewed(ProductEvent, frozen=True, tag="product_viewed", kw_only=True):
    """A product's page was seen. Segment: Product Viewed. GA4: view_item."""


class ProductAdded(ProductEvent, frozen=True, tag="product_added", kw_only=True):
    """A product went into the basket. Segment: Product Added. GA4: add_to_cart."""

    cart_id: Text | None = None


class ProductRemoved(ProductEvent, frozen=True, tag="product_removed", kw_only=True):
    """A product left the basket. Segment: Product Removed. GA4: remove_from_cart."""

    cart_id: Text | None = None


class CartViewed(VisitorEvent, frozen=True, tag="cart_viewed", kw_only=True):
    """The basket was looked at. Segment: Cart Viewed. GA4: view_cart."""

    cart_id: Text | None = None
    products: ShownItems = ()


class RecommendationShown(VisitorEvent, frozen=True, tag="recommendation_shown", kw_only=True):
    """A recommendation was displayed."""

    recommendation_id: Id
    variant: Text | None = None
    items: ShownItems = ()


class RecommendationClicked(VisitorEvent, frozen=True, tag="recommendation_clicked", kw_only=True):
    """An item of a recommendation was clicked."""

    recommendation_id: Id
    product_id: Id
    variant: Text | None = None


# --- store.orders.v1 ---------------------------------------------------------------------------


class OrderEvent(VisitorEvent, frozen=True, omit_defaults=True, kw_only=True):
    """An event about one order."""

    order_id: Id
    products: Items
    value: Money | None = None
    revenue: Money | None = None
    shipping: Money | None = None
    tax: Money | None = None
    discount: Money | None = None
    coupon: Text | None = None
    currency: Currency | None = None


class CheckoutStarted(OrderEvent, frozen=True, tag="checkout_started", kw_only=True):
    """Checkout began. Segment: Checkout Started. GA4: begin_checkout."""


class OrderCompleted(OrderEvent, frozen=True, tag="order_completed", kw_only=True):
    """An order was placed. Segment: Order Completed. GA4: purchase."""


class OrderCancelled(OrderEvent, frozen=True, tag="order_cancelled", kw_only=True):
    """An order was cancelled before it left; its units are for sale again.

    They were not wanted after all: the day of ``ordered_at_ms`` sold less. Where that is absent, the
    day of the cancellation did, and the days before it for what it did not sell itself.
    """

    ordered_at_ms: TimeMs | None = None


class OrderRefunded(OrderEvent, frozen=True, tag="order_refunded", kw_only=True):
    """Units of an order came back. Segment: Order Refunded. GA4: refund.

    They had been wanted, and had to be there: the demand stays as it was. They are for sale again,
    but for ``restocked`` false: then the money went back alone, or they are damaged.
    """

    restocked: bool = True


# --- store.stock-levels.v1 ---------------------------------------------------------------------


class StockEvent(StoreEvent, frozen=True, omit_defaults=True, kw_only=True):
    """An event about one product's stock; the record's key is the product."""

    product_id: Id


class PositionEvent(StockEvent, frozen=True, omit_defaults=True, kw_only=True):
    """An event about a product's units at one location, with what else is told of the product."""

    location: Location | None = None
    name: Text | None = None
    price: Money | None = None
    lead_time_days: Days | None = None
    pack_size: Quantity | None = None
    minimum_order: Quantity | None = None


class Delivery(Struct, frozen=True, gc=False):
    """Units on the way, and when they are expected."""

    quantity: Quantity
    expected_at_ms: TimeMs


class StockLevelSet(PositionEvent, frozen=True, tag="stock_level_set", kw_only=True):
    """A count: the truth as of ``as_of_ms`` (when absent, as of ``occurred_at_ms``).

    ``inbound`` is all that was on the way then, and ``deliveries`` those of it that have a date;
    where they come to more, they count. What is absent is as it was: a count of the shelf alone says
    nothing of what is set aside or on the way.
    """

    on_hand: Units
    reserved: Units | None = None
    inbound: Units | None = None
    deliveries: Annotated[tuple[Delivery, ...], Meta(max_length=MAX_DELIVERIES)] = ()
    as_of_ms: TimeMs | None = None


class StockOrdered(PositionEvent, frozen=True, tag="stock_ordered", kw_only=True):
    """Units were ordered from a supplier: they are on the way from now on."""

    quantity: Quantity
    expected_at_ms: TimeMs | None = None


class StockReceived(PositionEvent, frozen=True, tag="stock_received", kw_only=True):
    """Units arrived and are for sale."""

    quantity: Quantity


class StockAdjusted(PositionEvent, frozen=True, tag="stock_adjusted", kw_only=True):
    """Units were found or lost, or set aside and released: signed differences."""

    difference: Difference
    reserved_difference: Difference = 0
    reason: Text | None = None


class PricePlanned(StockEvent, frozen=True, tag="price_planned", kw_only=True):
    """What a unit is to cost from ``begins_at_ms`` until before ``ends_at_ms``: a promotion, say.

    Of several plans for one day the last told holds. Without a price nothing is planned for it any more.
    """

    begins_at_ms: TimeMs
    ends_at_ms: TimeMs
    price: Money | None = None

    def __post_init__(self) -> None:
        if self.ends_at_ms <= self.begins_at_ms:
            raise ValueError("Expected `ends_at_ms` > `begins_at_ms`")


# --- store.stock-movements.v1 (internal) -------------------------------------------------------


class Origin(Struct, frozen=True, array_like=True):
    """Where a movement came from: one line of one order record.

    Attributes:
        partition: Partition of the orders topic.
        epoch: Epoch of that topic; a re-created topic has another one.
        offset: Offset of the order's record.
        line: Position of the product in the order, from zero.
    """

    partition: Partition
    epoch: Ordinal
    offset: Ordinal
    line: Line


#: What moved units; only a return leaves the demand as it was.
Cause = Literal["order", "return"]


class StockMovement(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An order line re-keyed by product.

    ``units`` is negative for a sale and positive for a cancellation or a return;
    ``wanted_at_ms`` is when they were wanted, where that is not when they moved.
    """

    product_id: Id
    units: Difference
    occurred_at_ms: TimeMs
    origin: Origin
    price: Money | None = None
    name: Text | None = None
    bought_with: Annotated[tuple[Id, ...], Meta(max_length=500)] = ()
    simulated: bool = False
    location: Location | None = None
    cause: Cause = "order"
    wanted_at_ms: TimeMs | None = None


ClickstreamEvent = (
    ProductsSearched
    | ProductListViewed
    | ProductClicked
    | ProductViewed
    | ProductAdded
    | ProductRemoved
    | CartViewed
    | RecommendationShown
    | RecommendationClicked
)
OrdersEvent = CheckoutStarted | OrderCompleted | OrderCancelled | OrderRefunded
PositionFact = StockLevelSet | StockOrdered | StockReceived | StockAdjusted
StockLevelEvent = PositionFact | PricePlanned

#: Events after which a visitor is owed a recommendation. The others are folded in silence.
ANSWERED = (
    ProductClicked,
    ProductViewed,
    ProductAdded,
    ProductRemoved,
    CartViewed,
    CheckoutStarted,
    OrderCompleted,
    OrderCancelled,
    OrderRefunded,
)
