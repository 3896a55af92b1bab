"""Repeats: a few are the price of at least once; many in a row say that something is wrong."""

from __future__ import annotations

from collections import defaultdict

import structlog

from stream.kafka.records import RecordBatch
from stream.telemetry import Telemetry
from stream.topics import STOCK_MOVEMENTS

log = structlog.get_logger(__name__)


class Repeats:
    """Counts the records that were folded before, and says loudly when they are too many.

    A topic that was created again without another epoch, or offsets that somebody set back, would
    otherwise look like a redelivery for ever, and nothing of it would be folded.

    Args:
        max_redelivered: Records of a partition that a worker has in flight at most, and so the most
            that come again when it dies.
    """

    def __init__(self, telemetry: Telemetry, *, max_redelivered: int) -> None:
        self._telemetry = telemetry
        self._max_redelivered = max_redelivered
        self._in_a_row: defaultdict[tuple[str, int], int] = defaultdict(int)

    def count(self, batch: RecordBatch, n_repeats: int) -> None:
        """Take note of a record batch of which *n_repeats* were folded before."""
        where = batch.topic, batch.partition
        if n_repeats:
            self._telemetry.repeats.labels(batch.topic).inc(n_repeats)
        if 2 * n_repeats < len(batch.records):
            self._in_a_row.pop(where, None)
            return
        before = self._in_a_row[where]
        self._in_a_row[where] = after = before + n_repeats
        # One order comes again as many movements, from each partition of orders.
        if batch.topic == STOCK_MOVEMENTS.name or after <= self._max_redelivered:
            return
        self._telemetry.unexplained.labels(batch.topic).inc(n_repeats)
        if before <= self._max_redelivered:
            topic, partition = where
            log.error(
                "repeats_unexplained",
                topic=topic,
                partition=partition,
                in_a_row=after,
                at_most=self._max_redelivered,
                last_offset=batch.last_offset,
            )
