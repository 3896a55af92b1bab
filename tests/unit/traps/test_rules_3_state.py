"""The rules on keys, order and time, one test each."""

from __future__ import annotations

from itertools import permutations

import pytest
from structlog.testing import capture_logs

from stream.app import create_app
from stream.codec import HISTORY_HEADER, encode
from stream.domain.applied import RECENT_IDS
from stream.domain.calendar import DAY_MS
from stream.domain.history import history_of
from stream.domain.product_folding import apply_level, apply_movement
from stream.domain.products import Product, on_hand
from stream.domain.sessions import MAX_ITEMS, Session, advance
from stream.errors import RecoveryFailed, TopicMismatch
from stream.kafka import topic_watch
from stream.kafka.administration import Life
from stream.kafka.partitioning import partition_of
from stream.pipeline.repeats import Repeats
from stream.pipeline.upkeep import Expiry, Round
from stream.settings import Settings
from stream.state import products as stored_products
from stream.state import sessions as stored_sessions
from stream.telemetry import Telemetry
from stream.topics import EVENTS, STOCK_LEVELS
from stream.wanted_topics import wanted_topics
from tests.unit.builders import (
    NOON_MS,
    TODAY,
    Record,
    clicks_at,
    folded,
    levels_at,
    make_level,
    make_movement,
    make_order,
    make_view,
    orders_at,
)
from tests.unit.pipeline.fakes import KeptStates, batch_of, settled
from tests.unit.pipeline.scenes import RecommendScene, StockScene


async def test_rule_3_keys_unequal_partition_counts_are_refused_at_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def topic_lives(_: object, names: list[str], **__: object) -> dict[str, Life]:
        return {name: Life(None, 8 if name == EVENTS.name else 4) for name in names}

    monkeypatch.setattr(topic_watch, "topic_lives", topic_lives)
    worker = create_app(Settings(inference="none", metrics_port=0, partitions=4))

    with pytest.raises(TopicMismatch, match=r"store\.events\.v1 has 8"):
        await worker.parts.topics.begin()


async def test_rule_3_keys_of_others_and_other_partitions_are_counted_and_folded() -> None:
    scene, view = RecommendScene(), encode(make_view(0))
    home = partition_of(b"ann", 4)

    elsewhere = await scene.take(batch_of(EVENTS.name, [Record(view, b"ann", 0)], partition=1))
    scene.owned.states[home] = KeptStates(home)
    strays = [Record(view, b"bob", 0), Record(view, b"ann", 1)]
    under_another_key = await scene.take(batch_of(EVENTS.name, strays, partition=home))

    astray = scene.telemetry.key_mismatches
    assert partition_of(b"bob", 4) == home != 1
    assert astray.labels(EVENTS.name, "partition")._value.get() == 1
    assert astray.labels(EVENTS.name, "key")._value.get() == 1
    assert under_another_key.completed
    assert elsewhere.completed
    assert [answer.visitor_id for answer in scene.answers()] == ["ann", "ann"]


def test_rule_3_order_of_two_topics_leaves_no_trace() -> None:
    clicks = [(make_view(n, product_id=f"p{n}", occurred_at_ms=NOON_MS + 9 - n), n) for n in (0, 1)]
    orders = [(make_order(n, occurred_at_ms=NOON_MS + 5 * n), n) for n in (0, 1)]
    facts = [(event, clicks_at(n)) for event, n in clicks]
    facts += [(event, orders_at(n)) for event, n in orders]  # type: ignore[misc]

    sessions = {
        stored_sessions.dump(folded([facts[i] for i in order]))
        for order in permutations(range(4))
        if order.index(0) < order.index(1) and order.index(2) < order.index(3)
    }

    assert len(sessions) == 1
    many = [(make_view(n, product_id=f"p{n}"), clicks_at(n)) for n in range(MAX_ITEMS + 9)]
    assert len(history_of(folded(many)).products) == MAX_ITEMS


def test_rule_3_order_offset_is_remembered_with_the_epoch_of_its_topic() -> None:
    session = folded([(make_view(5), clicks_at(5, epoch=1))])

    again = advance(session, make_view(5), clicks_at(5, epoch=1))
    re_created = advance(session, make_view(0), clicks_at(0, epoch=2))

    assert again is session
    assert len(history_of(re_created).products) == 1
    assert re_created.trail != session.trail


def test_rule_3_order_resent_events_are_known_within_a_bound() -> None:
    event = make_view(0, product_id="first")
    session = folded([(event, clicks_at(0))])
    resent = advance(session, event, clicks_at(1))
    later = [(make_view(n, product_id=f"p{n}"), clicks_at(n)) for n in range(1, RECENT_IDS + 1)]
    forgotten = advance(folded(later, session), event, clicks_at(99))

    assert resent.trail == session.trail
    assert forgotten.trail != folded(later, session).trail


def test_rule_3_repeats_beyond_a_redelivery_raise_an_alarm() -> None:
    telemetry = Telemetry()
    repeats = Repeats(telemetry, max_redelivered=20)
    batch = batch_of(EVENTS.name, [Record(b"", offset=n) for n in range(10)])
    elsewhere = batch_of(EVENTS.name, [Record(b"", offset=n) for n in range(10)], partition=1)

    with capture_logs() as logged:
        for n_repeats in (10, 10, 0, 10, 10):
            repeats.count(batch, n_repeats)
        repeats.count(elsewhere, 10)
        explained = list(logged)
        for _ in range(3):
            repeats.count(batch, 8)

    assert explained == []
    assert [(line["event"], line["log_level"]) for line in logged] == [
        ("repeats_unexplained", "error")
    ]
    assert telemetry.unexplained.labels(EVENTS.name)._value.get() == 24
    assert telemetry.repeats.labels(EVENTS.name)._value.get() == 74


async def test_rule_3_repeats_of_a_topic_in_both_pipelines_are_counted() -> None:
    scene, stock = RecommendScene(), StockScene()
    views = [Record(encode(make_view(n)), offset=n) for n in range(3)]
    for _ in range(2):
        await scene.take(batch_of(EVENTS.name, views))
        await stock.levels(make_level(10))

    assert scene.telemetry.repeats.labels(EVENTS.name)._value.get() == 3
    assert stock.telemetry.repeats.labels(STOCK_LEVELS.name)._value.get() == 1


def test_rule_3_movements_of_one_origin_are_counted_once() -> None:
    product = apply_level(Product("milk"), make_level(10), levels_at(0))
    lines = [make_movement(3, line=line, units=-2) for line in (0, 1)]

    for line in (*lines, *lines):
        product = apply_movement(product, line)

    assert on_hand(product) == 6


def test_rule_3_movements_after_a_count_are_kept() -> None:
    after_the_count = make_movement(0, units=-3, occurred_at_ms=NOON_MS + 60_000)
    before_it = make_movement(1, units=-2, occurred_at_ms=NOON_MS - 60_000)
    product = Product("milk")
    for movement in (after_the_count, before_it):
        product = apply_movement(product, movement)

    late = make_level(10, occurred_at_ms=NOON_MS + 120_000, as_of_ms=NOON_MS)

    assert on_hand(apply_level(product, late, levels_at(0))) == 7


async def test_rule_3_time_is_the_events_and_its_future_is_cut() -> None:
    scene = RecommendScene()
    century = make_view(0, occurred_at_ms=NOON_MS + 36_500 * DAY_MS)

    await scene.take(batch_of(EVENTS.name, [Record(encode(century), timestamp=NOON_MS)]))

    assert scene.session().updated_at_ms == NOON_MS + 60_000  # as far as clocks may differ


async def test_rule_3_time_late_events_are_counted_on_their_day() -> None:
    scene = StockScene()
    await scene.levels(make_level(50, occurred_at_ms=NOON_MS + 3 * DAY_MS))
    await scene.sales(make_movement(0, units=-4, occurred_at_ms=NOON_MS))

    assert dict(scene.product().demand) == {TODAY: 4}


async def test_rule_3_time_clock_ticks_for_products_without_events() -> None:
    scene = StockScene()
    await scene.levels(make_level(500))
    rounds = Round(scene.owned, scene.clock, scene.pipeline.look_after, per_tick=10)
    rounds.tick()
    await settled()
    n_asked = len(scene.model.requests)
    scene.clock.observe(STOCK_LEVELS.name, 0, NOON_MS + DAY_MS)

    rounds.tick()
    await settled()

    assert len(scene.model.requests) == n_asked + 1


def test_rule_3_time_of_a_record_is_its_append() -> None:
    stamps = {topic.config["message.timestamp.type"] for topic in wanted_topics(Settings())}

    assert stamps == {"LogAppendTime"}


def test_rule_3_stored_state_begins_with_its_version() -> None:
    for stored, value in ((stored_sessions, Session()), (stored_products, Product("milk"))):
        written = stored.dump(value)
        assert written[0] == stored.VERSION
        assert stored.load(written) == value
        with pytest.raises(RecoveryFailed, match="newer program"):
            stored.load(bytes([written[0] + 1]) + written[1:])


async def test_rule_3_stored_state_expires_with_a_tombstone() -> None:
    scene = StockScene()
    await scene.levels(make_level(500))
    expiry: Expiry[Product] = Expiry(
        "products",
        lambda product, now_ms: stored_products.is_expired(product, now_ms, 10 * DAY_MS),
        scene.clock,
        settling=scene.settling,
        telemetry=scene.telemetry,
    )
    kept = scene.owned[0].get(b"milk")
    expiry.visit(scene.owned[0], [b"milk"])
    before = scene.owned[0].get(b"milk")
    scene.clock.observe(STOCK_LEVELS.name, 0, NOON_MS + 11 * DAY_MS)
    expiry.visit(scene.owned[0], [b"milk"])

    assert kept is not None
    assert before is kept
    assert scene.owned[0].get(b"milk") is None


async def test_rule_3_stored_history_is_folded_without_an_answer() -> None:
    scene = RecommendScene()
    past = Record(encode(make_view(0)), headers=((HISTORY_HEADER, b"1"),))

    batch = await scene.take(batch_of(EVENTS.name, [past]))

    assert batch.completed
    assert scene.answers() == []
    assert len(history_of(scene.session()).products) == 1
