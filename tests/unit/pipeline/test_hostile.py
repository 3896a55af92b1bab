"""Hostile records of every kind through both pipelines as they are composed.

Each case goes in between two good records. It is folded and answered, or a dead letter says where,
what was expected and what came; the good ones are answered and the record batch completes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import msgspec
import pytest

from stream.codec import encode
from stream.domain.events import MAX_LINES, MAX_PARTITIONS, Origin, StockAdjusted, StockMovement
from stream.domain.outputs import Recommendation, Situation
from stream.domain.position_folding import (
    MAX_CHANGES,
    MAX_LOCATIONS,
    MAX_ORDERS,
    MIN_CHANGES,
)
from stream.domain.positions import Count, Incoming, Order, Position
from stream.domain.product_folding import MAX_BOUGHT_WITH, MAX_EPOCHS
from stream.domain.products import AlertState, OriginMark, Product, on_hand
from stream.kafka.records import OutRecord, RecordBatch
from stream.model_specs import PAST_DAYS
from stream.pipeline.intake import MAX_KEY_BYTES
from stream.settings import BATCH_OVERHEAD_BYTES
from stream.state.products import dump
from stream.topics import (
    EVENTS,
    ORDERS,
    RECOMMENDATIONS,
    STOCK_LEVELS,
    STOCK_MOVEMENTS,
    dead_letter_name,
)
from tests.unit.builders import NOON_MS, Record, make_level, make_movement, make_order, make_view
from tests.unit.pipeline.fakes import batch_of
from tests.unit.pipeline.hostile import (
    EVENTS_CASES,
    FOLDED,
    LEVELS_CASES,
    MOVEMENTS_CASES,
    ORDERS_CASES,
    VIEW,
    YEAR_2200_MS,
    Cases,
    with_,
)
from tests.unit.pipeline.scenes import RecommendScene, StockScene, completed

#: The least that ``producer_batch_bytes`` may be.
SMALLEST_BATCH_BYTES = 512 * 1024
TOLERANCE_MS = 60_000


def cases(named: Cases) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("value", "error"), named.values(), ids=named)


def among_good(topic: str, good: Sequence[bytes], value: bytes | None, key: bytes) -> RecordBatch:
    """Put the hostile *value* at offset 1, between the two *good* ones."""
    first, last = good
    records = [Record(first, key, 0), Record(value, b"eve", 1), Record(last, key, 2)]
    return batch_of(topic, records)


def check_dead(letters: Sequence[OutRecord], topic: str, value: bytes | None, error: str) -> None:
    """Fail unless the record at offset 1 has the dead letter it must have, and no other."""
    (letter,) = letters
    headers = dict(letter.headers)
    message = headers["dl-error"].decode()
    assert headers["dl-offset"] == b"1"
    assert message.startswith(f"{topic}[0]@1: ")
    assert error in message
    assert message.isprintable()
    assert letter.value == value or (value or b"").startswith(letter.value or b"?")


# --- Each kind through a pipeline ---------------------------------------------------------------


async def check_visitors(
    topic: str, good: Sequence[bytes], value: bytes | None, error: str
) -> None:
    scene = RecommendScene()

    await completed(scene, among_good(topic, good, value, b"ann"))

    covers = {
        (a.visitor_id, c.first_offset, c.last_offset) for a in scene.answers() for c in a.covers
    }
    letters = scene.log.of(dead_letter_name(topic))
    assert ("ann", 0, 2) in covers
    if error == FOLDED:
        assert letters == []
        assert ("eve", 1, 1) in covers
    else:
        assert len(covers) == 1
        check_dead(letters, topic, value, error)


@cases(EVENTS_CASES)
async def test_hostile_event_is_answered_or_a_dead_letter(value: bytes | None, error: str) -> None:
    await check_visitors(EVENTS.name, [encode(make_view(0)), encode(make_view(2))], value, error)


@cases(ORDERS_CASES)
async def test_hostile_order_is_answered_or_a_dead_letter(value: bytes | None, error: str) -> None:
    await check_visitors(ORDERS.name, [encode(make_order(0)), encode(make_order(2))], value, error)


async def check_products(
    topic: str, good: Sequence[bytes], value: bytes | None, error: str
) -> None:
    scene = StockScene()

    await completed(scene, among_good(topic, good, value, b"milk"))

    told = {state.product_id for state in scene.told()}
    letters = scene.log.of(dead_letter_name(topic))
    if error == FOLDED:
        assert (told, letters) == ({"milk", "eve"}, [])
    else:
        assert told == {"milk"}
        check_dead(letters, topic, value, error)


@cases(LEVELS_CASES)
async def test_hostile_count_is_told_or_a_dead_letter(value: bytes | None, error: str) -> None:
    good = [encode(make_level(event_id=name)) for name in ("first", "last")]
    await check_products(STOCK_LEVELS.name, good, value, error)


@cases(MOVEMENTS_CASES)
async def test_hostile_movement_is_told_or_a_dead_letter(value: bytes | None, error: str) -> None:
    good = [encode(make_movement(0)), encode(make_movement(2))]
    await check_products(STOCK_MOVEMENTS.name, good, value, error)


# --- What the folded ones come to ---------------------------------------------------------------


async def test_event_of_the_year_2200_is_as_of_its_append() -> None:
    scene = RecommendScene()
    value = with_(VIEW, occurred_at_ms=YEAR_2200_MS)

    await completed(scene, batch_of(EVENTS.name, [Record(value, b"eve")]))

    assert scene.session("eve").updated_at_ms == NOON_MS + TOLERANCE_MS


async def test_event_of_1970_makes_nobody_forget_the_present() -> None:
    scene = RecommendScene()
    early = with_(VIEW, occurred_at_ms=0, event_id="early", product_id="p2")

    await completed(
        scene, batch_of(EVENTS.name, [Record(VIEW, b"eve", 0), Record(early, b"eve", 1)])
    )

    assert scene.session("eve").updated_at_ms == NOON_MS + 1
    assert scene.session("eve").trail.products == ("p2", "p1")


async def test_visitor_with_nothing_but_an_unknown_product_gets_trends() -> None:
    scene = RecommendScene()

    await completed(scene, batch_of(EVENTS.name, [Record(with_(VIEW, product_id="?"), b"eve")]))

    (answer,) = scene.answers()
    assert (answer.strategy, answer.degraded) == ("trending", False)


async def test_shelf_taken_below_nothing_is_oversold() -> None:
    scene = StockScene()
    lost = StockAdjusted(
        event_id="lost", occurred_at_ms=NOON_MS + 9, product_id="milk", difference=-1_000_000
    )
    values = [encode(make_level(0)), *[encode(lost)] * 2]
    values[2] = with_(values[2], event_id="lost again")

    records = [Record(value, b"milk", offset) for offset, value in enumerate(values)]
    await completed(scene, batch_of(STOCK_LEVELS.name, records))

    product: Product = scene.owned[0].values[b"milk"]
    assert on_hand(product) == -2_000_000
    assert [alert.kind for alert in scene.alerts()] == ["oversold"]


async def test_product_remembers_no_more_origins_than_a_topic_has_partitions() -> None:
    scene = StockScene()
    movements = [
        StockMovement(product_id="milk", units=-1, occurred_at_ms=NOON_MS, origin=Origin(*origin))
        for origin in [
            (partition, epoch, 0, 0) for partition in (0, 4095, 4096, 2**40) for epoch in (1, 2, 3)
        ]
    ]

    records = [Record(encode(each), b"milk", offset) for offset, each in enumerate(movements)]
    await completed(scene, batch_of(STOCK_MOVEMENTS.name, records))

    assert {mark.partition for mark in scene.product().origins} == {0, 4095}
    assert len(scene.product().origins) == 4
    assert len(scene.log.of(dead_letter_name(STOCK_MOVEMENTS.name))) == 6


def test_largest_product_that_can_be_made_fits_the_smallest_produced_batch() -> None:
    text, far, name = "😀" * 128, 2**63 - 1, "\x00" * 512
    # The first was alone while its changes came, the second was one of two, and so on.
    positions = tuple(
        Position(
            "😀" * 63 + chr(0x1F600 + n),
            level=Count(YEAR_2200_MS, 4095, far, 10**9),
            held=Count(YEAR_2200_MS, 4095, far, 10**9),
            incoming=Incoming(YEAR_2200_MS, 4095, far, 10**9, ((YEAR_2200_MS, 10**6),) * 16),
            changes=tuple((YEAR_2200_MS + i, -(2**40)) for i in range(room)),
            received=tuple((YEAR_2200_MS + i, 2**40) for i in range(room)),
            set_aside=tuple((YEAR_2200_MS + i, 2**40) for i in range(room)),
            ordered=(Order(YEAR_2200_MS, YEAR_2200_MS, 10**6),) * MAX_ORDERS,
        )
        for n in range(MAX_LOCATIONS + 1)
        if (room := max(MIN_CHANGES, MAX_CHANGES // (n + 1)))
    )
    alert = AlertState(far, far, True, "back_in_stock", "critical", YEAR_2200_MS, 1e300, 84_000)
    largest = Product(
        product_id=text,
        name=name,
        price=1e12,
        positions=positions,
        demand=tuple((day, 2**40) for day in range(84_006, 84_006 + PAST_DAYS)),
        bought_with=tuple((text, far) for _ in range(MAX_BOUGHT_WITH)),
        origins=tuple(
            OriginMark(partition, far, far, MAX_LINES)
            for partition in range(MAX_PARTITIONS)
            for _ in range(MAX_EPOCHS)
        ),
        alerts=(alert,) * len(get_args(Situation)),
        sold_out=tuple(range(84_006, 84_006 + PAST_DAYS)),
    )

    stored = dump(largest)

    assert len(stored) + MAX_KEY_BYTES + BATCH_OVERHEAD_BYTES <= SMALLEST_BATCH_BYTES


async def test_answer_to_hostile_names_is_json_as_any_other() -> None:
    scene = RecommendScene()
    name = "\x1b]0;title\x07\r\n\u2028</script>\x00"
    event = make_view(0, visitor_id=name, product_id=name)

    await completed(scene, batch_of(EVENTS.name, [Record(encode(event), name.encode())]))

    (out,) = scene.log.of(RECOMMENDATIONS.name)
    assert msgspec.json.decode(out.value or b"", type=Recommendation).visitor_id == name
    assert not set(out.value or b"") & set(range(32))
