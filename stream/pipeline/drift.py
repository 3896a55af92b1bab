"""What counts found: how far the shelves had drifted from what events said of them."""

from __future__ import annotations

import structlog

from stream.domain.events import StockLevelSet
from stream.domain.position_folding import MAX_LOCATIONS
from stream.domain.positions import is_counted
from stream.domain.products import Product
from stream.kafka.records import RecordBatch
from stream.telemetry import Telemetry

log = structlog.get_logger(__name__)


class Drift:
    """Adds up, count by count, the units that a count found beyond what was expected.

    What is missing was stolen, broken, miscounted, or its event is; a count heals it. Much of it
    says that a source of events is incomplete.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._found: list[tuple[int, StockLevelSet]] = []

    def add(self, count: StockLevelSet, drift: int | None) -> None:
        """Take note of a count; *drift* is None where nothing was expected."""
        if drift is None:
            return
        self._telemetry.stock_counts.labels("agrees" if drift == 0 else "differs").inc()
        if drift:
            way = "found" if drift > 0 else "missing"
            self._telemetry.drifted_units.labels(way).inc(abs(drift))
            self._found.append((drift, count))

    def forgot(self, before: Product, after: Product) -> None:
        """Count the locations that were counted and are forgotten, since a product has too many."""
        if len(before.positions) < MAX_LOCATIONS:
            return
        kept = {position.location for position in after.positions}
        n_forgotten = sum(
            is_counted(each) for each in before.positions if each.location not in kept
        )
        if n_forgotten:
            self._telemetry.forgotten_locations.inc(n_forgotten)

    def report(self, batch: RecordBatch) -> None:
        """Say in one line what the counts of *batch* found, and begin anew."""
        if not self._found:
            return
        worst, count = max(self._found, key=lambda each: abs(each[0]))
        log.info(
            "shelves_drifted",
            topic=batch.topic,
            partition=batch.partition,
            last_offset=batch.last_offset,
            counts=len(self._found),
            units_missing=-sum(drift for drift, _ in self._found if drift < 0),
            units_found=sum(drift for drift, _ in self._found if drift > 0),
            most_units=worst,
            of_product=count.product_id,
            at_location=count.location,
        )
        self._found.clear()
