from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from stream.codec import HISTORY, HISTORY_HEADER, encode
from stream.domain.applied import RECENT_IDS
from stream.domain.events import Item, OrderCompleted, StockMovement, VisitorEvent
from stream.domain.outputs import Cover, ProductState
from stream.domain.ranking import SIMILAR_SESSIONS
from stream.errors import InferenceRejected, InferenceUnavailable, PartitionRevoked
from stream.kafka.partitioning import partition_of
from stream.model_specs import N_CANDIDATES
from stream.ports import Tensors
from stream.topics import EVENTS, ORDERS, PRODUCT_STATE, RECOMMENDATIONS, STOCK_MOVEMENTS
from tests.unit.builders import NOON_MS, Record, clicks_at, folded, make_order, make_view
from tests.unit.pipeline.fakes import KeptStates, batch_of, is_complete, settled
from tests.unit.pipeline.scenes import N_PARTITIONS, PRODUCTS
from tests.unit.pipeline.scenes import RecommendScene as Pipeline


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


def record(event: VisitorEvent, offset: int, *, history: bool = False) -> Record:
    headers = ((HISTORY_HEADER, b"1"),) if history else ()
    return Record(encode(event), event.visitor_id.encode(), offset, headers=headers)


def views(*offsets: int, product_id: str = "p1") -> list[Record]:
    return [record(make_view(offset, product_id=product_id), offset) for offset in offsets]


async def test_visitor_is_answered_once_for_a_batch_and_every_event_is_covered(
    pipeline: Pipeline,
) -> None:
    batch = await pipeline.take(batch_of(EVENTS.name, views(3, 4, 9)))

    (answer,) = pipeline.answers()
    assert answer.covers == (Cover(EVENTS.name, 0, 3, 9),)
    assert (answer.strategy, answer.model_version, answer.degraded) == (
        "session_transformer",
        "7",
        False,
    )
    assert len(answer.items) == 10
    assert is_complete(batch)


async def test_without_conflation_every_event_gets_an_answer_of_its_own() -> None:
    pipeline = Pipeline(conflating=False)

    await pipeline.take(batch_of(EVENTS.name, views(3, 4, 9)))

    firsts = [answer.covers[0].first_offset for answer in pipeline.answers()]
    assert firsts == [3, 4, 9]


async def test_recommendations_go_to_the_partition_of_the_visitor(pipeline: Pipeline) -> None:
    await pipeline.take(batch_of(EVENTS.name, views(0)))

    (out,) = pipeline.log.of(RECOMMENDATIONS.name)
    assert (out.key, out.partition) == (b"ann", partition_of(b"ann", N_PARTITIONS))


async def test_session_is_durable_before_the_batch_completes(pipeline: Pipeline) -> None:
    pipeline.owned[0].may_flush.clear()

    batch = await pipeline.take(batch_of(EVENTS.name, views(0)))
    assert pipeline.answers()
    assert not is_complete(batch)
    pipeline.owned[0].may_flush.set()
    await settled()

    assert is_complete(batch)
    assert pipeline.session() == folded([(make_view(0, product_id="p1"), clicks_at(0))])


async def test_batch_waits_for_the_confirmation_of_its_answers(pipeline: Pipeline) -> None:
    pipeline.log.may_confirm.clear()

    batch = await pipeline.take(batch_of(EVENTS.name, views(0)))

    assert not is_complete(batch)


async def test_redelivered_event_changes_nothing_and_is_answered_the_same(
    pipeline: Pipeline,
) -> None:
    await pipeline.take(batch_of(EVENTS.name, views(0)))
    once = pipeline.session()

    await pipeline.take(batch_of(EVENTS.name, views(0)))

    first, again = pipeline.answers()
    assert pipeline.session() == once
    assert first.recommendation_id == again.recommendation_id


async def test_same_offsets_of_a_topic_created_again_are_another_answer(pipeline: Pipeline) -> None:
    for epoch in (1, 2):
        await pipeline.take(replace(batch_of(EVENTS.name, views(1)), epoch=epoch))

    first, other = pipeline.answers()
    assert first.covers == other.covers
    assert first.recommendation_id != other.recommendation_id


async def test_visitor_in_two_partitions_is_answered_for_each(pipeline: Pipeline) -> None:
    """An answer for both would go with the offsets of one, and not of the other."""
    for partition in (0, 1):
        pipeline.pipeline.accept(batch_of(EVENTS.name, views(1), partition=partition))
    await settled()

    covers = [[cover.partition for cover in answer.covers] for answer in pipeline.answers()]
    assert covers == [[0], [1]]


async def test_history_is_folded_without_an_answer(pipeline: Pipeline) -> None:
    past = [record(make_view(0, product_id="p1"), 0, history=True)]

    batch = await pipeline.take(batch_of(EVENTS.name, past))

    assert (pipeline.answers(), batch.completed) == ([], True)
    assert len(pipeline.session().trail) == 1


async def test_unreadable_record_is_a_dead_letter_and_the_others_are_answered(
    pipeline: Pipeline,
) -> None:
    batch = batch_of(EVENTS.name, [Record(b"{", offset=0), *views(1)])

    await pipeline.take(batch)

    (letter,) = pipeline.log.of(f"{EVENTS.name}.dead-letter")
    assert letter.value == b"{"
    assert dict(letter.headers)["dl-offset"] == b"0"
    assert len(pipeline.answers()) == 1
    assert is_complete(batch)


async def test_order_lines_are_published_by_product_with_their_origin(pipeline: Pipeline) -> None:
    order = make_order(5, products=(Item("p1", quantity=2), Item("p2")))

    await pipeline.take(batch_of(ORDERS.name, [record(order, 5)]))

    movements = [
        msgspec.json.decode(out.value or b"", type=StockMovement)
        for out in pipeline.log.of(STOCK_MOVEMENTS.name)
    ]
    assert [(m.product_id, m.units, m.origin.offset, m.origin.line) for m in movements] == [
        ("p1", -2, 5, 0),
        ("p2", -1, 5, 1),
    ]


async def test_movements_leave_in_the_order_of_their_origin_whoever_ordered(
    pipeline: Pipeline,
) -> None:
    orders = [
        make_order(offset, visitor_id=visitor_id)
        for offset, visitor_id in enumerate(("ann", "bob", "ann"))
    ]

    await pipeline.take(batch_of(ORDERS.name, [record(order, i) for i, order in enumerate(orders)]))

    movements = [
        msgspec.json.decode(out.value or b"", type=StockMovement)
        for out in pipeline.log.of(STOCK_MOVEMENTS.name)
    ]
    assert [movement.origin.offset for movement in movements] == [0, 1, 2]


async def test_movements_of_the_past_are_of_the_past(pipeline: Pipeline) -> None:
    orders = [record(make_order(0), 0, history=True), record(make_order(1), 1)]

    await pipeline.take(batch_of(ORDERS.name, orders))

    headers = [out.headers for out in pipeline.log.of(STOCK_MOVEMENTS.name)]
    assert headers == [HISTORY, ()]


async def test_order_resent_among_many_moves_no_stock_twice(pipeline: Pipeline) -> None:
    orders = [make_order(i, order_id=f"o-{i}") for i in range(40)]
    orders.insert(1, make_order(90, order_id="o-0"))

    batch = batch_of(ORDERS.name, [record(order, i) for i, order in enumerate(orders)])
    await pipeline.take(batch)
    again = batch_of(ORDERS.name, batch.records)  # type: ignore[arg-type]
    await pipeline.take(again)

    offsets = [
        msgspec.json.decode(out.value or b"", type=StockMovement).origin.offset
        for out in pipeline.log.of(STOCK_MOVEMENTS.name)
    ]
    assert 1 not in offsets
    assert len(offsets) == 80


async def test_order_resent_more_often_than_is_remembered_moves_stock_once(
    pipeline: Pipeline,
) -> None:
    order = make_order(0)
    resent = [record(order, offset) for offset in range(2 * RECENT_IDS)]

    await pipeline.take(batch_of(ORDERS.name, resent))

    assert len(pipeline.log.of(STOCK_MOVEMENTS.name)) == 1


async def test_resent_order_moves_no_stock_twice(pipeline: Pipeline) -> None:
    orders = [
        record(make_order(5, order_id="o-1"), 5),
        record(make_order(6, order_id="o-1"), 6),
    ]

    await pipeline.take(batch_of(ORDERS.name, orders))

    assert len(pipeline.log.of(STOCK_MOVEMENTS.name)) == 1


async def test_redelivered_order_publishes_its_movements_again(pipeline: Pipeline) -> None:
    order = record(make_order(5), 5)

    await pipeline.take(batch_of(ORDERS.name, [order]))
    await pipeline.take(batch_of(ORDERS.name, [order]))

    first, again = pipeline.log.of(STOCK_MOVEMENTS.name)
    assert first == again


async def test_answers_are_degraded_while_the_model_is_away(pipeline: Pipeline) -> None:
    pipeline.model.refuse = lambda _: InferenceUnavailable("away")
    pipeline.shelf.apply(
        [
            Record(encode(ProductState(product_id="p9", sold_out=False, units_7d=3, name="Jam"))),
            Record(encode(ProductState(product_id="p8", sold_out=True, units_7d=9))),
        ]
    )

    await pipeline.take(batch_of(EVENTS.name, views(0)))

    (answer,) = pipeline.answers()
    assert (answer.degraded, answer.strategy, answer.model) == (True, "trending", "counts")
    assert [(item.product_id, item.name) for item in answer.items] == [("p9", "Jam")]


async def test_visitor_the_model_knows_nothing_of_gets_trends_that_are_not_degraded(
    pipeline: Pipeline,
) -> None:
    await pipeline.take(batch_of(EVENTS.name, views(0, product_id="never-trained")))

    (answer,) = pipeline.answers()
    assert (answer.strategy, answer.degraded) == ("trending", False)
    assert pipeline.model.requests == []


async def test_sold_out_and_in_basket_products_are_not_recommended(pipeline: Pipeline) -> None:
    pipeline.shelf.apply([Record(encode(ProductState(product_id="p1", sold_out=True)))])
    order = make_order(5, products=("p2",), kind=OrderCompleted)

    await pipeline.take(batch_of(ORDERS.name, [record(order, 5)]))

    (answer,) = pipeline.answers()
    assert [item.product_id for item in answer.items[:3]] == ["p3", "p4", "p5"]


async def test_refused_visitor_is_dead_lettered_and_the_others_are_answered(
    pipeline: Pipeline,
) -> None:
    poison = PRODUCTS.index("p13") + 1

    def refuse(inputs: Tensors) -> Exception | None:
        return InferenceRejected("no") if (inputs["items"] == poison).any() else None

    pipeline.model.refuse = refuse
    events = [
        make_view(offset, product_id=f"p{offset + 11}", visitor_id=f"v{offset}")
        for offset in range(5)
    ]

    batch = await pipeline.take(
        batch_of(EVENTS.name, [record(event, i) for i, event in enumerate(events)])
    )

    letters = pipeline.log.of(f"{EVENTS.name}.dead-letter")
    assert [dict(letter.headers)["dl-reason"] for letter in letters] == [b"RefusedRow"]
    assert {answer.visitor_id for answer in pipeline.answers()} == {"v0", "v1", "v3", "v4"}
    assert is_complete(batch)


async def test_visitor_whose_scores_are_no_numbers_is_answered_degraded(
    pipeline: Pipeline,
) -> None:
    def spoil(outputs: Tensors) -> Tensors:
        outputs["scores"][0] = np.nan
        return outputs

    pipeline.model.alter = spoil
    visits = [make_view(0, product_id="p1"), make_view(1, product_id="p2", visitor_id="bob")]

    await pipeline.take(batch_of(EVENTS.name, [record(event, i) for i, event in enumerate(visits)]))

    assert {answer.visitor_id: answer.degraded for answer in pipeline.answers()} == {
        "ann": True,
        "bob": False,
    }


@pytest.mark.parametrize("candidate", [-1, 0, N_CANDIDATES + 1])
async def test_candidates_that_are_not_in_the_vocabulary_degrade_and_it_is_read_again(
    pipeline: Pipeline, candidate: int
) -> None:
    def replace(outputs: Tensors) -> Tensors:
        outputs["candidates"][0, 0] = candidate
        return outputs

    pipeline.model.alter = replace

    await pipeline.take(batch_of(EVENTS.name, views(0)))

    assert [(answer.degraded, answer.strategy) for answer in pipeline.answers()] == [
        (True, "trending")
    ]
    assert pipeline.proposer.lineup.answering is None


async def test_batch_of_a_partition_that_is_not_ours_is_left_alone(pipeline: Pipeline) -> None:
    batch = batch_of(EVENTS.name, views(0), partition=3)

    with pytest.raises(PartitionRevoked):
        pipeline.pipeline.accept(batch)

    assert not is_complete(batch)


async def test_failed_publication_is_reported_and_the_batch_stays_open() -> None:
    pipeline = Pipeline()
    pipeline.log.failure = RuntimeError("the broker is gone")
    batch = batch_of(EVENTS.name, views(0))

    pipeline.pipeline.accept(batch)
    await settled()

    assert pipeline.failures == [pipeline.log.failure]
    assert not is_complete(batch)


async def test_time_ahead_of_the_append_is_cut(pipeline: Pipeline) -> None:
    ahead = make_view(0, product_id="p1", occurred_at_ms=NOON_MS + 10_000_000)

    await pipeline.take(batch_of(EVENTS.name, [record(ahead, 0)]))

    assert pipeline.session().updated_at_ms == NOON_MS + 60_000


async def test_deleted_product_leaves_the_shelf(pipeline: Pipeline) -> None:
    state = ProductState(product_id="p1", sold_out=True, units_7d=2)
    pipeline.shelf.apply([Record(encode(state), b"p1"), Record(None, b"p1")])

    assert (pipeline.shelf.sold_out, pipeline.shelf.trending) == (set(), ())
    assert PRODUCT_STATE.cleanup == "compact"


async def test_records_under_another_key_or_in_another_partition_are_counted_and_folded(
    pipeline: Pipeline,
) -> None:
    home = partition_of(b"ann", N_PARTITIONS)
    view = encode(make_view(0))
    keys = b"bob", b"eve", None, b"ann"
    strays = [Record(view, key, offset) for offset, key in enumerate(keys)]

    pipeline.owned.states[home] = KeptStates(home)
    await pipeline.take(batch_of(EVENTS.name, strays, partition=home))

    misplaced = pipeline.telemetry.key_mismatches
    assert misplaced.labels(EVENTS.name, "key")._value.get() == 3
    assert misplaced.labels(EVENTS.name, "partition")._value.get() == 1
    assert pipeline.session(partition=home).applied[0].offset == 3


async def test_a_product_newer_than_the_model_is_recommended_by_what_it_was_bought_with(
    pipeline: Pipeline,
) -> None:
    state = ProductState(product_id="p1", sold_out=False, bought_with=("p2", "brand-new"))
    pipeline.shelf.apply([Record(encode(state), b"p1")])

    await pipeline.take(batch_of(EVENTS.name, views(0)))

    (answer,) = pipeline.answers()
    assert answer.strategy == "session_transformer"
    assert len(answer.items) == 10
    novel = [item for item in answer.items if item.reason != SIMILAR_SESSIONS]
    assert novel == [answer.items[-1]]
    assert (novel[0].product_id, novel[0].reason) == ("brand-new", "bought with p1")
