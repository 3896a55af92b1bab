"""When a planner wants to hear of a product: what of the store's settings decides about alerts."""

from __future__ import annotations

from msgspec import Struct


class StockPolicy(Struct, frozen=True, kw_only=True):
    """When a planner wants to hear of a product.

    Attributes:
        service_level: Share of cases in which the shelf must last, above 0 and below 1.
        lead_time_days: For products that were never told theirs.
        review_days: Days until somebody looks again, on top of the lead time.
        order_days: Days that an order is to last beyond that.
        resolve_margin_days: A shortage ends only with this many days of cover to spare.
        update_days: An open alert is told again when its stock-out date moves this far.
        min_interval_ms: Between two messages of one alert, but for what is worse than the last.
        snooze_on_order: Whether a shortage that dated deliveries will end is left alone until then.
        overstock_days: What lasts longer than this at the expected demand is too much.
        dead_days: A product that could be sold and was not for so long is dead.
        known_days: Days of which the demand must be known before there can be too much.
        spike_ratio: Units of today over those of an ordinary day that are a spike.
        spike_min_units: Fewer units of today are none.
        back_in_stock_days: For how long it is said that a product is back.
    """

    service_level: float = 0.9
    lead_time_days: float = 7.0
    review_days: float = 1.0
    order_days: float = 14.0
    resolve_margin_days: float = 2.0
    update_days: int = 3
    min_interval_ms: int = 15 * 60 * 1000
    snooze_on_order: bool = True
    overstock_days: float = 120.0
    dead_days: int = 60
    known_days: int = 28
    spike_ratio: float = 3.0
    spike_min_units: int = 10
    back_in_stock_days: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.service_level < 1:
            raise ValueError(
                f"service_level: expected above 0 and below 1, got {self.service_level}"
            )
