"""Watch stock: order lines and stock events in, alerts and availability out.

The story of one record batch, in order: decode, fold into products, publish what was refused and
what every worker must know of the products, make the changelog durable; meanwhile a row for each
touched product is forecast, assessed, and its alert published (``alerts``). Then the batch is
complete. A clock looks after the products that nothing happened to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stream.codec import Reading, decode_movement, decode_stock_level, encode, is_history
from stream.domain.applied import STOCK_LEVELS_TOPIC, Source, is_applied
from stream.domain.events import StockLevelEvent, StockLevelSet, StockMovement
from stream.domain.position_folding import drift_of
from stream.domain.product_folding import apply_level, apply_movement, is_repeat
from stream.domain.products import Product, is_watched, observed, product_state
from stream.kafka.records import InRecord, OutRecord, RecordBatch
from stream.pipeline.alerts import AlertBatcher, row_of
from stream.pipeline.drift import Drift
from stream.pipeline.event_clock import EventClock
from stream.pipeline.intake import Intake, Reader, partition_for
from stream.pipeline.settling import Settling
from stream.pipeline.tickets import Ticket
from stream.ports import OwnedStates, States
from stream.topics import PRODUCT_STATE, STOCK_LEVELS, STOCK_MOVEMENTS

StockFact = StockLevelEvent | StockMovement

_READ: dict[str, Reading[Any]] = {
    STOCK_LEVELS.name: decode_stock_level,
    STOCK_MOVEMENTS.name: decode_movement,
}


class StockPipeline:
    """Folds record batches of the products' topics and queues the products touched.

    Args:
        products: State by partition, keyed by product.
        n_partitions: Of the product-state topic.
    """

    def __init__(
        self,
        products: OwnedStates[Product],
        reader: Reader,
        batcher: AlertBatcher,
        *,
        settling: Settling,
        clock: EventClock,
        drift: Drift,
        n_partitions: int,
    ) -> None:
        self._products = products
        self._reader = reader
        self._batcher = batcher
        self._settling = settling
        self._clock = clock
        self._drift = drift
        self._n_partitions = n_partitions

    def accept(self, batch: RecordBatch) -> None:
        """Take *batch* in; it completes itself when all that it caused is confirmed.

        Raises:
            PartitionRevoked: The partition is no longer ours; its new owner reads the batch.
        """
        states = self._products[batch.partition]
        intake: Intake[StockFact] = self._reader.take_in(batch, _READ[batch.topic])
        effects, ticket, n_repeats = intake.dead, Ticket(batch), 0
        self._clock.observe(batch.topic, batch.partition, intake.latest_ms)
        for product_id, facts in intake.events.items():
            key = product_id.encode()
            before, after, n_again = self._fold(batch, states, key, facts=facts)
            n_repeats += n_again
            effects += self._news(before, after, told=not n_again)
            is_news = not all(is_history(record) for record, _ in facts)
            if is_news and is_watched(after):
                self._batcher.add(row_of(product_id, states, ticket))
        self._reader.repeats.count(batch, n_repeats)
        self._drift.report(batch)
        self._settling.settle(effects, states, ticket)

    def look_after(self, states: States[Product], keys: Sequence[bytes]) -> None:
        """Assess the products of *keys* although nothing happened to them: a day has passed."""
        effects: list[OutRecord] = []
        for key in keys:
            before = states.get(key)
            if before is None:
                continue
            product = observed(before, self._clock.today)
            if product is not before:
                states.put(key, product)
            effects += self._news(product, product, told=False)
            if is_watched(product):
                self._batcher.add(row_of(product.product_id, states))
        self._settling.publish(effects, states)

    def _fold(
        self,
        batch: RecordBatch,
        states: States[Product],
        key: bytes,
        *,
        facts: Sequence[tuple[InRecord, StockFact]],
    ) -> tuple[Product, Product, int]:
        """Return the product before and after, and how many facts were folded earlier."""
        before = after = states.get(key) or Product(key.decode())
        n_again, calendar = 0, self._clock.calendar
        for record, fact in facts:
            after = self._day_over(after, record, fact)
            if isinstance(fact, StockMovement):
                n_again += is_repeat(after, fact)
                after = apply_movement(after, fact, calendar)
                continue
            source = Source(STOCK_LEVELS_TOPIC, batch.partition, batch.epoch, record.offset)
            n_again += is_applied(after.applied, source)
            positions, after = after.positions, apply_level(after, fact, source, calendar)
            if isinstance(fact, StockLevelSet) and after.positions is not positions:
                self._drift.add(fact, drift_of(positions, fact, source))
        self._drift.forgot(before, after)
        if not is_history(facts[-1][0]):
            after = observed(after, calendar.day_of(after.updated_at_ms))
        if after is not before:
            states.put(key, after)
        return before, after, n_again

    def _day_over(self, product: Product, record: InRecord, fact: StockFact) -> Product:
        """Observe *product* at the end of its last day, where *fact* is the first of a later one.

        Not in a store's past: its two topics are read one far ahead of the other.
        """
        calendar = self._clock.calendar
        last = calendar.day_of(product.updated_at_ms)
        if calendar.day_of(fact.occurred_at_ms) <= last or is_history(record):
            return product
        return observed(product, last)

    def _news(self, before: Product, after: Product, *, told: bool) -> list[OutRecord]:
        """What every worker must hear of a product: nothing when it was *told* the same."""
        now_ms, calendar = self._clock.now_ms, self._clock.calendar
        state = product_state(after, now_ms, calendar)
        if told and before.updated_at_ms and state == product_state(before, now_ms, calendar):
            return []
        key = after.product_id.encode()
        partition = partition_for(key, self._n_partitions)
        return [OutRecord(PRODUCT_STATE.name, partition, key, encode(state))]
