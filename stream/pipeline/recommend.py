"""Recommend: a visitor's events in, a recommendation out.

The story of one record batch, in order: decode, fold into sessions, publish what was refused and
the re-keyed order lines, make the changelog durable; meanwhile a row for each touched visitor is
scored by the model, decided, published and confirmed (``answers``). Then the batch is complete.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from stream.codec import HISTORY, Reading, decode_clickstream, decode_orders, encode, is_history
from stream.domain.applied import EVENTS_TOPIC, ORDERS_TOPIC, Source
from stream.domain.events import OrderEvent, StockMovement
from stream.domain.movements import movements_of
from stream.domain.sessions import (
    Session,
    SessionEvent,
    advance,
    is_answered,
    is_resend,
)
from stream.kafka.records import Headers, InRecord, OutRecord, RecordBatch
from stream.pipeline.answers import RecommendationBatcher
from stream.pipeline.batcher import Row
from stream.pipeline.event_clock import EventClock
from stream.pipeline.intake import Intake, Reader, partition_for
from stream.pipeline.settling import Settling
from stream.pipeline.tickets import Ticket
from stream.pipeline.visits import Visit
from stream.ports import OwnedStates, States
from stream.topics import EVENTS, ORDERS, STOCK_MOVEMENTS

_READ: dict[str, Reading[Any]] = {EVENTS.name: decode_clickstream, ORDERS.name: decode_orders}
_NUMBERS = {EVENTS.name: EVENTS_TOPIC, ORDERS.name: ORDERS_TOPIC}

#: A record and its event.
Fact = tuple[InRecord, SessionEvent]
_NEW = Session()
#: A record, its order, and where it was read.
Ordered = tuple[InRecord, OrderEvent, Source]
#: A movement and the headers it is published with.
Moved = tuple[StockMovement, Headers]


class Folded(NamedTuple):
    """What folding a visitor's events of one batch gave.

    Attributes:
        visits: Owed an answer; a repeat is owed one as well: nobody knows whether the first got out.
        orders: Those whose lines move stock: not the ones that the store sent twice.
    """

    session: Session
    visits: list[Visit]
    n_repeats: int
    orders: list[Ordered]


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
        sessions: OwnedStates[Session],
        reader: Reader,
        batcher: RecommendationBatcher,
        *,
        settling: Settling,
        clock: EventClock,
        n_partitions: int,
        conflate: bool,
    ) -> None:
        self._sessions = sessions
        self._clock = clock
        self._reader = reader
        self._batcher = batcher
        self._settling = settling
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
        intake: Intake[SessionEvent] = self._reader.take_in(batch, _READ[batch.topic])
        self._clock.observe(batch.topic, batch.partition, intake.latest_ms)
        movements: list[Moved] = []
        rows: list[Row[Visit]] = []
        ticket, n_repeats = Ticket(batch), 0
        tickets = (ticket,)
        for visitor_id, facts in intake.events.items():
            key = visitor_id.encode()
            before = states.get(key) or _NEW
            folded = self._fold(batch, states, visitor_id, facts=facts, before=before)
            if folded.session is not before:
                states.put(key, folded.session)
            n_repeats += folded.n_repeats
            movements += _movements(folded.orders)
            rows += [Row((batch.partition, key), visit, tickets) for visit in folded.visits]
        self._batcher.add(*rows)
        self._reader.repeats.count(batch, n_repeats)
        self._settling.settle([*intake.dead, *self._published(movements)], states, ticket)

    def _fold(
        self,
        batch: RecordBatch,
        states: States[Session],
        visitor_id: str,
        *,
        facts: Sequence[Fact],
        before: Session,
    ) -> Folded:
        """Fold *facts* one after another; whether an order came before is asked in its turn."""
        origin = batch.topic, batch.partition, batch.epoch
        number, partition, epoch = _NUMBERS[batch.topic], batch.partition, batch.epoch
        session, n_repeats, simulated = before, 0, False
        visits, orders, owed = list[Visit](), list[Ordered](), list[InRecord]()
        for record, event in facts:
            source = Source(number, partition, epoch, record.offset)
            after = advance(session, event, source)
            n_repeats += after is session
            session = after
            if isinstance(event, OrderEvent) and not is_resend(session, event, source):
                orders.append((record, event, source))
            if not is_answered(event) or is_history(record):
                continue
            if not self._conflate:
                answered = ((origin, record),)
                visits.append(Visit(states, visitor_id, session, answered, event.simulated))
            else:
                owed.append(record)
                simulated = simulated or event.simulated
        if owed:
            records = tuple([(origin, record) for record in owed])
            visits.append(Visit(states, visitor_id, session, records, simulated))
        return Folded(session, visits, n_repeats, orders)

    def _published(self, movements: list[Moved]) -> Iterator[OutRecord]:
        """In the order of their origin, across visitors: products know repeats by it."""
        for movement, headers in sorted(movements, key=_origin):
            key = movement.product_id.encode()
            partition = partition_for(key, self._n_partitions)
            yield OutRecord(STOCK_MOVEMENTS.name, partition, key, encode(movement), headers)


def _movements(orders: Sequence[Ordered]) -> Iterator[Moved]:
    """Order lines; the past stays the past."""
    for record, order, source in orders:
        headers = HISTORY if is_history(record) else ()
        yield from ((movement, headers) for movement in movements_of(order, source))


def _origin(moved: Moved) -> tuple[int, int]:
    origin = moved[0].origin
    return origin.offset, origin.line
