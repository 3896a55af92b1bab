"""The two stories, from topic to topic, on the real broker and the real Triton."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from stream.domain.events import Item
from stream.domain.history import history_of
from stream.domain.products import on_hand
from stream.local.local_broker import LocalBroker
from stream.topics import (
    EVENTS,
    ORDERS,
    PRODUCT_STATE,
    RECOMMENDATIONS,
    STOCK_ALERTS,
    STOCK_LEVELS,
    STOCK_MOVEMENTS,
)
from tests.harness.events import as_history, count, order, receipt, view
from tests.harness.schemas import faults
from tests.harness.shop import Shop
from tests.harness.sockets import addresses_listened_to
from tests.harness.store import Answer, Sent, Store
from tests.harness.waiting import until
from tests.harness.worker import Worker
from tests.unit.builders import NOON_MS, TODAY

pytestmark = [pytest.mark.broker, pytest.mark.triton]

WITH_SCHEMAS = (
    EVENTS,
    ORDERS,
    STOCK_LEVELS,
    STOCK_MOVEMENTS,
    PRODUCT_STATE,
    RECOMMENDATIONS,
    STOCK_ALERTS,
)

_ordinals = itertools.count(1)


def answered(store: Store, sent: Sent) -> Answer:
    """Return the first answer to *sent*, waiting for it."""
    store.until(lambda: store.answer_to(sent), f"{sent.place} is answered")
    answer = store.answer_to(sent)
    assert answer is not None
    return answer


def recommended(store: Store, visitor_id: str, product_id: str) -> list[str]:
    """Return what a visitor who viewed *product_id* is shown, best first."""
    [sent] = store.publish(view(visitor_id, product_id))
    return [item.product_id for item in answered(store, sent).decoded.items]


def shown_until(store: Store, product_id: str, condition: Callable[[list[str]], bool]) -> list[str]:
    """Send one new visitor after the other until what is shown meets *condition*; return that.

    What a worker knows of the shelves comes through a topic, so a little after the alert.
    """
    visitors = (f"passer-by-{product_id}-{next(_ordinals)}" for _ in itertools.count())

    def shown() -> list[str]:
        products = recommended(store, next(visitors), product_id)
        return products if condition(products) else []

    return until(shown, "what is shown follows the shelf")


def shortages(store: Store, product_id: str) -> list[tuple[str, str]]:
    """Return what was told of a product that runs out, in order."""
    told = [alert for alert in store.alerts() if alert.product_id == product_id]
    return [(each.kind, each.status) for each in told if each.situation == "shortage"]


def test_one_event_in_is_one_recommendation_out(store: Store, worker: Worker) -> None:
    [sent] = store.publish(view("ann", "p7"))

    answer = answered(store, sent).decoded
    store.settle()

    assert [each for each in store.answers() if each.decoded.visitor_id == "ann"] == [
        store.answer_to(sent)
    ]
    assert (answer.strategy, answer.degraded) == ("session_transformer", False)
    assert (answer.model, answer.model_version) == ("recommender", "1")
    assert [item.rank for item in answer.items] == list(range(1, 11))
    assert not answer.simulated


def test_an_answer_lies_in_its_visitors_partition(store: Store, worker: Worker) -> None:
    [sent] = store.publish(view("bert", "p7"))
    answered(store, sent)

    at = [
        partition for partition, record in store.records(RECOMMENDATIONS) if record.key == b"bert"
    ]

    assert at == [sent.place.partition]


def test_an_order_that_empties_a_shelf_hides_the_product_until_it_is_received(
    store: Store, worker: Worker
) -> None:
    wanted = recommended(store, "cleo", "p10")[0]
    store.publish(count(wanted, 1))
    store.settle()

    store.publish(order("dan", Item(wanted)))
    store.until(lambda: shortages(store, wanted), "the empty shelf is told")
    hidden = shown_until(store, "p10", lambda shown: wanted not in shown)
    store.publish(receipt(wanted, 100_000))
    back = shown_until(store, "p10", lambda shown: wanted in shown)
    Shop(store, now_ms=NOON_MS).passes(minutes=16)
    store.until(lambda: "resolved" in shortages(store, wanted)[-1], "the alert is resolved")

    kinds = {kind for kind, _ in shortages(store, wanted)}
    assert "out_of_stock" in kinds
    assert len(hidden) == 10
    assert back[0] == wanted


def test_history_is_folded_and_not_answered(store: Store, worker: Worker) -> None:
    past = store.publish(*(as_history(view("eve", f"p{n}")) for n in range(3)))
    store.settle()
    unanswered = store.unanswered(past)
    [now] = store.publish(view("eve", "p3"))
    answered(store, now)
    store.settle()

    [session] = [each for (_, visitor), each in store.sessions().items() if visitor == "eve"]

    assert unanswered == [sent.place for sent in past]
    assert history_of(session).products == ["p0", "p1", "p2", "p3"]


def test_past_orders_become_demand(store: Store, worker: Worker) -> None:
    past = [count("old", 9), order("fay", Item("old", quantity=3))]

    store.publish(*(as_history(record) for record in past))
    store.settle()

    [product] = [each for (_, key), each in store.products().items() if key == "old"]
    assert (dict(product.demand), on_hand(product)) == ({TODAY: 3}, 6)


def test_metrics_tell_rows_and_recommendations(store: Store, worker: Worker) -> None:
    recommended(store, "gus", "p20")

    n_answers = len(store.answers())

    until(
        lambda: worker.metric("stream_published_recommendations_total") >= n_answers,
        "all answers are counted",
    )
    assert worker.metric("stream_request_rows_sum", model="recommender") >= 1
    assert worker.metric("stream_read_records_total", topic=EVENTS.name) >= 1
    assert worker.ask("/live")[0] == 200


def test_nothing_listens_beyond_loopback(own_broker: LocalBroker, worker: Worker) -> None:
    assert addresses_listened_to(worker.pid) == {"127.0.0.1"}
    assert addresses_listened_to(own_broker.child.pid) == {"127.0.0.1"}


def test_every_message_is_valid_by_its_schema(store: Store, worker: Worker) -> None:
    recommended(store, "hal", "p30")
    store.settle()

    wrong = [
        (topic.name, fault)
        for topic in WITH_SCHEMAS
        for _, record in store.records(topic)
        for fault in faults(topic, record.value or b"null")
    ]

    assert wrong == []
    assert all(store.records(topic) for topic in WITH_SCHEMAS)
