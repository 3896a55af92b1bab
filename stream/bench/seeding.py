"""What a measured worker finds on its broker: sessions of long ago, a shelf, and new events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from random import Random

from stream.codec import encode
from stream.domain.applied import EVENTS_TOPIC, Source
from stream.domain.events import ProductViewed
from stream.domain.outputs import ProductState
from stream.domain.sessions import Session, advance
from stream.kafka.partitioning import partition_of
from stream.kafka.producer import BulkProducer
from stream.kafka.records import OutRecord
from stream.settings import Settings
from stream.state import sessions
from stream.topics import EVENTS, PRODUCT_STATE, SESSIONS_CHANGELOG

N_VISITORS = 2_000
N_PRODUCTS = 5_000
N_TRENDING = 100
#: Different sessions in a partition; a visitor's is one of them, in bytes of her own.
_N_KINDS = 64
#: Of a topic that was there before this one: the offsets folded then say nothing about now.
_EARLIER_EPOCH = 1_234_567_891
_EARLIER_MS = 1_690_000_000_000
_NOW_MS = 1_700_000_000_000
#: Products have as many digits as most in the demo's data.
_FIRST_PRODUCT = 900_000
_CHUNK = 10_000
_CLIENT_ID = "storestream-bench"


async def publish(settings: Settings, records: Iterable[OutRecord]) -> None:
    """Return when the broker has confirmed all *records*."""
    producer = BulkProducer(settings.bootstrap, client_id=_CLIENT_ID)
    await producer.start()
    try:
        waiting = iter(records)
        while chunk := list(islice(waiting, _CHUNK)):
            await producer.publish(chunk)
    finally:
        await producer.stop()


def shelf(n_partitions: int) -> Iterator[OutRecord]:
    """The best sellers that answers without a model are filled with."""
    for number in range(N_TRENDING):
        product_id = _product(number)
        state = ProductState(product_id=product_id, sold_out=False, units_7d=N_TRENDING - number)
        key = product_id.encode()
        yield OutRecord(PRODUCT_STATE.name, partition_of(key, n_partitions), key, encode(state))


def stored_sessions(n_visitors: int, n_interactions: int, n_partitions: int) -> Iterator[OutRecord]:
    """The changelog of visitors who viewed *n_interactions* products each, one record a visitor."""
    for index in range(n_visitors):
        key = _visitor(index).encode()
        partition = partition_of(key, n_partitions)
        value = _stored_session(index % _N_KINDS, n_interactions, partition)
        yield OutRecord(SESSIONS_CHANGELOG.name, partition, key, value)


def views(n_events: int, n_visitors: int, n_partitions: int, *, seed: int) -> Iterator[OutRecord]:
    """Views by visitors drawn uniformly; the same for the same *seed*."""
    random = Random(seed)  # noqa: S311 - to be repeatable
    for index in range(n_events):
        visitor_id = _visitor(random.randrange(n_visitors))
        event = ProductViewed(
            event_id=f"{seed}-{index}",
            occurred_at_ms=_NOW_MS + seed * n_events + index,
            visitor_id=visitor_id,
            product_id=_product(random.randrange(N_PRODUCTS)),
        )
        key = visitor_id.encode()
        yield OutRecord(EVENTS.name, partition_of(key, n_partitions), key, encode(event))


@cache
def _stored_session(kind: int, n_interactions: int, partition: int) -> bytes:
    """One session as the worker itself would have stored it."""
    session, random = Session(), Random(kind)  # noqa: S311 - to be repeatable
    for place in range(n_interactions):
        event = ProductViewed(
            event_id=f"{kind}-{place}",
            occurred_at_ms=_EARLIER_MS + place * 20_000,
            visitor_id="",
            product_id=_product(random.randrange(N_PRODUCTS)),
        )
        source = Source(EVENTS_TOPIC, partition, _EARLIER_EPOCH, 5_000_000 + place * 1_000)
        session = advance(session, event, source)
    return sessions.dump(session)


def _visitor(index: int) -> str:
    return f"visitor-{index}"


def _product(number: int) -> str:
    return str(_FIRST_PRODUCT + number)
