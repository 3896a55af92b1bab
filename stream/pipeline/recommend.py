"""Recommend: a visitor's events in, a recommendation out.

The story of one record batch, in order: decode, fold into sessions, publish what was refused and
the re-keyed order lines, make the changelog durable; meanwhile a row for each touched visitor is
scored by the model, decided, published and confirmed (``answers``). Then the batch is complete.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stream.codec import HISTORY, decode_clickstream, decode_orders, encode, is_history
from stream.domain.applied import EVENTS_TOPIC, ORDERS_TOPIC, Source
from stream.domain.events import OrderEvent, StockMovement
from stream.domain.movements import movements_of
from stream.domain.sessions import (
    Session,
    SessionEvent,
    advance,
    advance_all,
    has_applied,
    is_answered,
    is_resend,
)
from stream.kafka.records import Headers, InRecord, OutRecord, RecordBatch
from stream.pipeline.answers import RecommendationBatcher
from stream.pipeline.batcher import Row
from stream.pipeline.event_clock import EventClock
from stream.pipeline.intake import Decode, Reader, partition_for
from stream.pipeline.read_sessions import ReadSessions
from stream.pipeline.settling import Settling
from stream.pipeline.tickets import Ticket
from stream.pipeline.visits import TopicPartition, Visit
from stream.ports import OwnedStates
from stream.telemetry import Telemetry
from stream.topics import EVENTS, ORDERS, STOCK_MOVEMENTS

_DECODE: dict[str, Decode[SessionEvent]] = {
    EVENTS.name: decode_clickstream,
    ORDERS.name: decode_orders,
}
_NUMBERS = {EVENTS.name: EVENTS_TOPIC, ORDERS.name: ORDERS_TOPIC}

#: A record, its event and where it stands.
Fact = tuple[InRecord, SessionEvent, Source]
#: A movement and the headers it is published with.
Moved = tuple[StockMovement, Headers]


class RecommendPipeline:
    """Folds record batches of the visitors' topics and queues the rows they are owed.

    Args:
        sessions: State by partition, keyed by visitor.
        n_partitions: Of the movements topic.
        conflate: Whether a visitor's events in one record batch are owed one answer; without it
            each event gets a row of its own, with the session as that event left it.
    """

    def __init__(
        self,
        sessions: OwnedStates,
        reader: Reader,
        batcher: RecommendationBatcher,
        *,
        settling: Settling,
        clock: EventClock,
        telemetry: Telemetry,
        n_partitions: int,
        conflate: bool,
    ) -> None:
        self._sessions = sessions
        self._read = ReadSessions()
        self._clock = clock
        self._reader = reader
        self._batcher = batcher
        self._settling = settling
        self._telemetry = telemetry
        self._n_partitions = n_partitions
        self._conflate = conflate

    def accept(self, batch: RecordBatch) -> None:
        """Take *batch* in; it completes itself when all that it caused is confirmed.

        Folding and marking the state as changed happen without a pause, so that no other batch
        of the visitor comes in between.

        Raises:
            PartitionRevoked: The partition is no longer ours; its new owner reads the batch.
        """
        states = self._sessions[batch.partition]
        intake = self._reader.take_in(batch, _DECODE[batch.topic])
        movements: list[Moved] = []
        ticket = Ticket(batch)
        self._observe(batch, intake.events)
        n_repeats = 0
        for visitor_id, facts in _by_visitor(batch, intake.events).items():
            key = visitor_id.encode()
            before = self._read.get(states, key)
            visits, after = self._fold(batch, visitor_id, facts, before=before)
            if after is not before:
                self._read.put(states, key, after)
            n_repeats += _n_applied(before, facts)
            movements += _movements(after, facts)
            for visit in visits:
                self._batcher.add(Row(key, visit, [ticket]))
        if n_repeats:
            self._telemetry.repeats.labels(batch.topic).inc(n_repeats)
        self._settling.settle([*intake.dead, *self._published(movements)], states, ticket)

    def _fold(
        self, batch: RecordBatch, visitor_id: str, facts: Sequence[Fact], *, before: Session
    ) -> tuple[list[Visit], Session]:
        """Return the visits owed an answer, and the session after *facts*.

        A repeat is owed an answer as well: nobody knows whether the first one got out.
        """
        place = (batch.topic, batch.partition)
        if not self._conflate:
            return _fold_one_by_one(place, visitor_id, facts, before)
        after = advance_all(before, [(event, source) for _, event, source in facts])
        owed = [(record, event) for record, event, _ in facts if _is_owed(record, event)]
        if not owed:
            return [], after
        records = tuple([(place, record) for record, _ in owed])
        simulated = any(event.simulated for _, event in owed)
        return [Visit(visitor_id, after, records, simulated)], after

    def _observe(self, batch: RecordBatch, events: Sequence[tuple[InRecord, SessionEvent]]) -> None:
        latest_ms = max((event.occurred_at_ms for _, event in events), default=0)
        self._clock.observe(batch.topic, batch.partition, latest_ms)

    def _published(self, movements: list[Moved]) -> Iterator[OutRecord]:
        """In the order of their origin, across visitors: products know repeats by it."""
        for movement, headers in sorted(movements, key=_origin):
            key = movement.product_id.encode()
            partition = partition_for(key, self._n_partitions)
            yield OutRecord(STOCK_MOVEMENTS.name, partition, key, encode(movement), headers)


def _fold_one_by_one(
    place: TopicPartition, visitor_id: str, facts: Sequence[Fact], session: Session
) -> tuple[list[Visit], Session]:
    """Give each event an answer of its own, with the session as that event left it."""
    visits = []
    for record, event, source in facts:
        session = advance(session, event, source)
        if _is_owed(record, event):
            visits.append(Visit(visitor_id, session, ((place, record),), event.simulated))
    return visits, session


def _is_owed(record: InRecord, event: SessionEvent) -> bool:
    return is_answered(event) and not is_history(record)


def _n_applied(before: Session, facts: Sequence[Fact]) -> int:
    """How many of *facts* were folded earlier; they are in offset order, so often none."""
    if not has_applied(before, facts[0][2]):
        return 0
    return sum(has_applied(before, source) for _, _, source in facts)


def _by_visitor(
    batch: RecordBatch, events: Sequence[tuple[InRecord, SessionEvent]]
) -> dict[str, list[Fact]]:
    number, partition, epoch = _NUMBERS[batch.topic], batch.partition, batch.epoch
    facts: dict[str, list[Fact]] = {}
    for record, event in events:
        fact = (record, event, Source(number, partition, epoch, record.offset))
        facts.setdefault(event.visitor_id, []).append(fact)
    return facts


def _movements(session: Session, facts: Sequence[Fact]) -> Iterator[Moved]:
    """Order lines, but not those of an order that the store sent twice; the past stays the past."""
    for record, event, source in facts:
        if isinstance(event, OrderEvent) and not is_resend(session, event, source):
            headers = HISTORY if is_history(record) else ()
            yield from ((movement, headers) for movement in movements_of(event, source))


def _origin(moved: Moved) -> tuple[int, int]:
    origin = moved[0].origin
    return origin.offset, origin.line
