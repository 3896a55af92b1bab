"""What every worker knows about all products: availability, trends, what is bought together.

Workers own visitors, not products; the owners of the products tell everybody through
``store.product-state.v1``, which each worker reads whole.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import islice

from stream.codec import decode_product_state
from stream.domain.outputs import ProductState, RecommendedItem
from stream.domain.ranking import trends
from stream.errors import InvalidInput
from stream.kafka.records import InRecord
from stream.telemetry import Telemetry
from stream.topics import PRODUCT_STATE

#: Products kept in the trending list; enough to fill ten places after all exclusions.
N_TRENDING = 100


class Shelf:
    """The newest known state of each product.

    Args:
        nearly_sold_out_units: As few units, or fewer, count as none: who sees a recommendation buys
            a while later.

    Attributes:
        sold_out: Products that nobody can buy now, or hardly anybody.
        overstocked: Products of which far more is there than sells.
        bought_with: By product, those of the same orders, most often first.
        names: By product, its name where one was told.
    """

    def __init__(self, telemetry: Telemetry, *, nearly_sold_out_units: int = 0) -> None:
        self._telemetry = telemetry
        self._nearly_sold_out_units = nearly_sold_out_units
        self.sold_out: set[str] = set()
        self.overstocked: set[str] = set()
        self.names: dict[str, str] = {}
        self._units_7d: dict[str, int] = {}
        self.bought_with: dict[str, tuple[str, ...]] = {}
        self._trending: tuple[RecommendedItem, ...] | None = None

    def apply(self, records: Sequence[InRecord]) -> None:
        """Take in *records* of the product-state topic, oldest first; what is unreadable counts."""
        rejected = 0
        for record in records:
            if record.value is None:
                self._forget((record.key or b"").decode("utf-8", "replace"))
                continue
            try:
                self._take(decode_product_state(record, PRODUCT_STATE.name, -1))
            except InvalidInput:
                rejected += 1
        if rejected:
            self._telemetry.records_rejected.labels(PRODUCT_STATE.name, "InvalidEvent").inc(
                rejected
            )
        self._trending = None

    @property
    def trending(self) -> tuple[RecommendedItem, ...]:
        """For sale, by units sold in the last seven days of event time, best first."""
        if self._trending is None:
            units = self._units_7d
            best = heapq.nlargest(N_TRENDING + len(self.sold_out), units, key=units.__getitem__)
            there = (product_id for product_id in best if product_id not in self.sold_out)
            self._trending = trends(islice(there, N_TRENDING), names=self.names)
        return self._trending

    def _forget(self, product_id: str) -> None:
        self.sold_out.discard(product_id)
        self.overstocked.discard(product_id)
        for known in (self.names, self._units_7d, self.bought_with):
            known.pop(product_id, None)

    def _take(self, state: ProductState) -> None:
        product_id = state.product_id
        left = state.available
        is_gone = left is not None and left <= self._nearly_sold_out_units
        for products, is_one in (
            (self.sold_out, state.sold_out or is_gone),
            (self.overstocked, state.overstocked),
        ):
            if is_one:
                products.add(product_id)
            else:
                products.discard(product_id)
        if state.units_7d > 0:
            self._units_7d[product_id] = state.units_7d
        else:
            self._units_7d.pop(product_id, None)
        if state.name is not None:
            self.names[product_id] = state.name
        if state.bought_with:
            self.bought_with[product_id] = state.bought_with
        else:
            self.bought_with.pop(product_id, None)
