from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pytest

from stream.codec import dead_letter, encode
from stream.demo.audit import Audit, Lost
from stream.demo.ledger import Chunk
from stream.demo.replay import HISTORY
from stream.domain.events import (
    Item,
    OrderCompleted,
    Origin,
    ProductsSearched,
    ProductViewed,
    StockLevelSet,
    StockMovement,
    VisitorEvent,
)
from stream.domain.outputs import Cover, Recommendation
from stream.domain.product_folding import apply_level, apply_movement
from stream.domain.products import Product
from stream.domain.sessions import SessionEvent, Source
from stream.kafka.records import Headers
from stream.state import products, sessions
from stream.topics import (
    EVENTS,
    ORDERS,
    PRODUCTS_CHANGELOG,
    RECOMMENDATIONS,
    SESSIONS_CHANGELOG,
    STOCK_LEVELS,
    STOCK_MOVEMENTS,
    dead_letter_of,
)
from tests.unit.builders import folded

NOTHING = Lost(0, 0, 0, 0)


class Record(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


def make_view(event_id: str, visitor_id: str = "v") -> ProductViewed:
    return ProductViewed(event_id=event_id, occurred_at_ms=1, visitor_id=visitor_id, product_id="p")


def make_search() -> ProductsSearched:
    return ProductsSearched(event_id="s", occurred_at_ms=1, visitor_id="v", query="soup")


def make_order(*product_ids: str) -> OrderCompleted:
    items = tuple(Item(product_id) for product_id in product_ids)
    return OrderCompleted(
        event_id="o", occurred_at_ms=1, visitor_id="v", order_id="o", products=items
    )


def make_answer(
    first: int, last: int, *, topic: str = EVENTS.name, visitor_id: str = "v"
) -> Recommendation:
    return Recommendation(
        recommendation_id="r",
        visitor_id=visitor_id,
        covers=(Cover(topic, 0, first, last),),
        items=(),
        strategy="trending",
        model="none",
        model_version="0",
        degraded=True,
        created_at_ms=1,
        as_of_ms=1,
    )


def make_audit(
    *events: VisitorEvent,
    topic: str = EVENTS.name,
    headers: Headers = (),
    n_sent: int | None = None,
) -> Audit:
    """An audit that has read *events* from partition 0, appended at 1000, 1001, …"""
    sent = {(topic, 0): len(events) if n_sent is None else n_sent}
    audit = Audit(n_partitions=1, sent=sent)
    audit.take_input(
        Chunk(
            topic,
            0,
            [
                Record(offset, 1000 + offset, event.visitor_id.encode(), encode(event), headers)
                for offset, event in enumerate(events)
            ],
        )
    )
    return audit


def answer(audit: Audit, recommendation: Recommendation, *, at_ms: int = 2000) -> None:
    record = Record(0, at_ms, recommendation.visitor_id.encode(), encode(recommendation))
    audit.take(Chunk(RECOMMENDATIONS.name, 0, [record]))


def fold(audit: Audit, events: Sequence[tuple[SessionEvent, Source]]) -> None:
    session = folded(events)
    record = Record(0, 2000, b"v", sessions.dump(session))
    audit.take(Chunk(SESSIONS_CHANGELOG.name, 0, [record]))


def test_answered_and_folded_events_are_not_lost() -> None:
    view = make_view("a")
    audit = make_audit(view)

    answer(audit, make_answer(0, 0))
    fold(audit, [(view, Source(0, 0, 1, 0))])

    assert audit.lost() == NOTHING


def test_event_that_is_owed_an_answer_is_lost_without_even_when_folded() -> None:
    view = make_view("a")
    audit = make_audit(view)

    fold(audit, [(view, Source(0, 0, 1, 0))])

    assert audit.lost() == Lost(0, unanswered=1, unfolded=0, unmoved=0)


def test_event_that_is_not_folded_is_lost_even_when_answered() -> None:
    audit = make_audit(make_view("a"))

    answer(audit, make_answer(0, 0))

    assert audit.lost() == Lost(0, 0, unfolded=1, unmoved=0)


def test_answer_to_another_visitor_covers_nothing() -> None:
    audit = make_audit(make_view("a"))

    answer(audit, make_answer(0, 5, visitor_id="w"))

    assert audit.lost().unanswered == 1
    assert audit.outputs.repeats == 1


def test_search_and_history_are_owed_no_answer() -> None:
    search, view = make_search(), make_view("a")
    quiet = make_audit(search)
    past = make_audit(view, headers=HISTORY)

    fold(quiet, [(search, Source(0, 0, 1, 0))])
    fold(past, [(view, Source(0, 0, 1, 0))])

    assert (quiet.lost(), past.lost()) == (NOTHING, NOTHING)


def test_event_that_never_reached_the_topic_is_missing() -> None:
    view = make_view("a")
    audit = make_audit(view, n_sent=3)

    answer(audit, make_answer(0, 0))
    fold(audit, [(view, Source(0, 0, 1, 0))])

    assert audit.lost() == Lost(missing=2, unanswered=0, unfolded=0, unmoved=0)


def test_dead_letter_accounts_for_its_source() -> None:
    audit = make_audit(make_view("a"))
    record = Record(0, 1000, b"v", b"{")
    key, value, headers = dead_letter(record, EVENTS.name, 0, ValueError("no event"))

    audit.take(Chunk(dead_letter_of(EVENTS).name, 0, [Record(0, 1, key, value, headers)]))

    assert audit.lost() == NOTHING
    assert audit.outputs.dead_letters == 1


def test_latency_is_that_of_the_first_answer() -> None:
    audit = make_audit(make_view("a"), make_view("b"))

    answer(audit, make_answer(0, 0), at_ms=1010)
    answer(audit, make_answer(0, 1), at_ms=1101)
    answer(audit, make_answer(0, 1), at_ms=9999)

    assert audit.latency_ms() == {"p50": 100.0, "p99": 100.0, "max": 100.0}
    assert (audit.outputs.recommendations, audit.outputs.repeats) == (3, 1)


def test_order_is_lost_until_each_line_moved_its_product() -> None:
    order = make_order("p", "q")
    audit = make_audit(order, topic=ORDERS.name)
    answer(audit, make_answer(0, 0, topic=ORDERS.name))
    fold(audit, [(order, Source(1, 0, 1, 0))])

    move(audit, "p", line=0)
    assert audit.lost() == Lost(0, 0, 0, unmoved=1)

    move(audit, "q", line=1)
    assert audit.lost() == NOTHING


def test_stock_level_is_lost_until_its_product_knows() -> None:
    level = StockLevelSet(event_id="l", occurred_at_ms=1, product_id="p", on_hand=3)
    audit = Audit(n_partitions=1, sent={(STOCK_LEVELS.name, 0): 1})
    audit.take_input(Chunk(STOCK_LEVELS.name, 0, [Record(0, 1, b"p", encode(level))]))
    before = audit.lost()

    store(audit, apply_level(Product("p"), level, Source(2, 0, 1, 0)))

    assert (before.unfolded, audit.lost()) == (1, NOTHING)


def test_state_that_expired_was_folded_before() -> None:
    view = make_view("a")
    audit = make_audit(view)
    answer(audit, make_answer(0, 0))
    fold(audit, [(view, Source(0, 0, 1, 0))])

    audit.take(Chunk(SESSIONS_CHANGELOG.name, 0, [Record(1, 3000, b"v", None)]))

    assert audit.lost() == NOTHING
    assert audit.outputs.expired == 1


def test_product_that_expired_and_came_back_was_folded_before() -> None:
    order = make_order("p")
    audit = make_audit(order, topic=ORDERS.name)
    answer(audit, make_answer(0, 0, topic=ORDERS.name))
    fold(audit, [(order, Source(1, 0, 1, 0))])
    move(audit, "p", line=0)

    audit.take(Chunk(PRODUCTS_CHANGELOG.name, 0, [Record(1, 3000, b"p", None)]))
    level = StockLevelSet(event_id="l", occurred_at_ms=1, product_id="p", on_hand=3)
    store(audit, apply_level(Product("p"), level, Source(2, 0, 1, 0)))

    assert audit.lost() == NOTHING


def test_output_that_is_no_recommendation_is_counted_as_invalid() -> None:
    audit = make_audit()

    audit.take(Chunk(RECOMMENDATIONS.name, 0, [Record(0, 1, b"v", b'{"items": 3}')]))

    assert audit.outputs.invalid == 1


def test_offsets_that_skip_are_refused() -> None:
    audit = make_audit()
    view = encode(make_view("a"))

    with pytest.raises(ValueError, match="offset 4"):
        audit.take_input(Chunk(EVENTS.name, 0, [Record(4, 1, b"v", view)]))


def move(audit: Audit, product_id: str, *, line: int) -> None:
    movement = StockMovement(
        product_id=product_id, units=-1, occurred_at_ms=1, origin=Origin(0, 1, 0, line)
    )
    audit.take(Chunk(STOCK_MOVEMENTS.name, 0, [Record(0, 1, b"k", encode(movement))]))
    store(audit, apply_movement(Product(product_id), movement))


def store(audit: Audit, product: Product) -> None:
    record = Record(0, 1, product.product_id.encode(), products.dump(product))
    audit.take(Chunk(PRODUCTS_CHANGELOG.name, 0, [record]))
