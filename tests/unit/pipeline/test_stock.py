from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from stream.codec import encode
from stream.domain.calendar import DAY_MS
from stream.domain.outputs import StockAlert
from stream.domain.position_folding import MAX_LOCATIONS
from stream.domain.product_folding import apply_level, apply_movement
from stream.domain.products import Product, on_hand
from stream.errors import InferenceRejected, InferenceUnavailable
from stream.kafka.partitioning import partition_of
from stream.kafka.records import OutRecord
from stream.model_specs import HORIZON_DAYS, QUANTILES
from stream.pipeline.upkeep import Expiry, Round
from stream.state.products import is_expired
from stream.topics import (
    PRODUCT_STATE,
    STOCK_ALERTS,
    STOCK_LEVELS,
    STOCK_MOVEMENTS,
    dead_letter_name,
)
from tests.unit.builders import (
    NOON_MS,
    TODAY,
    Record,
    levels_at,
    make_level,
    make_movement,
    make_plan,
)
from tests.unit.pipeline.fakes import KeptStates, batch_of, is_complete, settled
from tests.unit.pipeline.scenes import StockScene as Pipeline

MINUTE_MS = 60_000


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


async def test_shelf_that_runs_empty_is_told_to_planners_and_to_every_worker(
    pipeline: Pipeline,
) -> None:
    await pipeline.levels(make_level(40))

    batch = await pipeline.sales(make_movement(0, units=-40))

    assert [(a.kind, a.status) for a in pipeline.alerts()] == [("out_of_stock", "opened")]
    assert [state.sold_out for state in pipeline.told()] == [False, True]
    assert is_complete(batch)


async def test_one_shortage_is_one_alert(pipeline: Pipeline) -> None:
    await pipeline.levels(make_level(1))

    for offset in range(5):
        await pipeline.sales(make_movement(offset))

    assert len({alert.alert_id for alert in pipeline.alerts()}) == 1
    told = [(alert.kind, alert.revision) for alert in pipeline.alerts()]
    assert told == [("stockout_risk", 1), ("out_of_stock", 2), ("oversold", 3)]


async def test_replenished_shelf_resolves_its_alert(pipeline: Pipeline) -> None:
    await pipeline.levels(make_level(0), make_level(500, event_id="l2", occurred_at_ms=NOON_MS + 9))
    await pipeline.sales(make_movement(0))
    await pipeline.levels(make_level(0, event_id="l3", occurred_at_ms=NOON_MS + 20), first_offset=2)

    await pipeline.levels(
        make_level(90, event_id="l4", occurred_at_ms=NOON_MS + 20 * MINUTE_MS), first_offset=3
    )

    assert said(pipeline)[-3:] == [
        ("out_of_stock", "opened"),
        ("out_of_stock", "resolved"),
        ("back_in_stock", "opened"),
    ]


async def test_what_is_held_back_is_told_once_it_may_be(pipeline: Pipeline) -> None:
    await pipeline.levels(make_level(40))
    await pipeline.sales(make_movement(0, units=-40))
    await pipeline.levels(
        make_level(90, event_id="l2", occurred_at_ms=NOON_MS + MINUTE_MS), first_offset=1
    )
    pipeline.held_back.tick()
    await settled()
    before = said(pipeline)

    pipeline.clock.observe(STOCK_LEVELS.name, 1, NOON_MS + 20 * MINUTE_MS)
    pipeline.held_back.tick()
    await settled()

    assert before == [("out_of_stock", "opened"), ("back_in_stock", "opened")]
    assert said(pipeline) == [*before, ("out_of_stock", "resolved")]


async def test_what_is_held_back_is_forgotten_with_the_partition(pipeline: Pipeline) -> None:
    await pipeline.levels(make_level(40))
    await pipeline.sales(make_movement(0, units=-40))
    await pipeline.levels(
        make_level(90, event_id="l2", occurred_at_ms=NOON_MS + MINUTE_MS), first_offset=1
    )
    n_said = len(said(pipeline))

    pipeline.held_back.restart()
    pipeline.clock.observe(STOCK_LEVELS.name, 1, NOON_MS + 20 * MINUTE_MS)
    pipeline.held_back.tick()
    await settled()

    assert len(said(pipeline)) == n_said


async def test_alerts_are_keyed_by_situation_in_the_partition_of_their_product(
    pipeline: Pipeline,
) -> None:
    await pipeline.levels(make_level(40))
    await pipeline.sales(make_movement(0, units=-40))
    await pipeline.levels(
        make_level(90, event_id="l2", occurred_at_ms=NOON_MS + 20 * MINUTE_MS), first_offset=1
    )

    records = pipeline.log.of(STOCK_ALERTS.name)
    assert [record.key for record in records] == [b"shortage/milk"] * 2 + [b"return/milk"]
    assert {record.partition for record in records} == {partition_of(b"milk", 4)}


async def test_every_worker_is_told_that_far_too_much_is_there(pipeline: Pipeline) -> None:
    month_ago = NOON_MS - 40 * DAY_MS
    old = make_movement(0, occurred_at_ms=month_ago)
    await pipeline.sales(old)

    await pipeline.levels(make_level(5_000))

    assert said(pipeline) == [("overstock", "opened")]
    assert [state.overstocked for state in pipeline.told()][-1]


async def test_counts_tell_how_far_the_shelf_had_drifted(pipeline: Pipeline) -> None:
    await pipeline.levels(make_level(40))
    await pipeline.sales(make_movement(0, units=-4))

    await pipeline.levels(
        make_level(33, event_id="l2", occurred_at_ms=NOON_MS + 9),
        make_level(33, event_id="l3", occurred_at_ms=NOON_MS + 10),
        first_offset=1,
    )

    value = pipeline.telemetry.registry.get_sample_value
    assert value("stream_drifted_units_total", {"way": "missing"}) == 3
    assert value("stream_stock_counts_total", {"outcome": "agrees"}) == 1
    assert value("stream_stock_counts_total", {"outcome": "differs"}) == 1


async def test_a_plan_of_prices_asks_for_a_new_forecast_of_what_is_watched(
    pipeline: Pipeline,
) -> None:
    await pipeline.levels(make_plan())
    n_unwatched = len(pipeline.model.requests)
    await pipeline.levels(make_level(500), first_offset=1)

    batch = await pipeline.levels(make_plan(1.0, event_id="p2"), first_offset=2)

    assert (n_unwatched, len(pipeline.model.requests)) == (0, 2)
    assert [each.price for each in pipeline.product().plans] == [1.0]
    assert is_complete(batch)


async def test_a_plan_that_ends_before_it_begins_is_a_dead_letter_and_what_follows_is_folded(
    pipeline: Pipeline,
) -> None:
    backward = encode(make_plan()).replace(b'"begins_at_ms"', b'"ends"')
    backward = backward.replace(b'"ends_at_ms"', b'"begins_at_ms"').replace(
        b'"ends"', b'"ends_at_ms"'
    )
    values = backward, encode(make_plan(event_id="p2"))

    await pipeline.take(
        batch_of(STOCK_LEVELS.name, [Record(v, b"milk", n) for n, v in enumerate(values)])
    )

    [letter] = pipeline.log.of(dead_letter_name(STOCK_LEVELS.name))
    assert (letter.value, dict(letter.headers)["dl-reason"]) == (backward, b"InvalidEvent")
    assert b"Expected `ends_at_ms` > `begins_at_ms`" in dict(letter.headers)["dl-error"]
    assert len(pipeline.product().plans) == 1


def said(pipeline: Pipeline) -> list[tuple[str, str]]:
    return [(alert.kind, alert.status) for alert in pipeline.alerts()]


async def test_alert_is_in_doubt_until_its_publication_is_confirmed(pipeline: Pipeline) -> None:
    await pipeline.levels(make_level(40))
    pipeline.log.may_confirm.clear()

    batch = await pipeline.sales(make_movement(0, units=-40))
    assert len(pipeline.alerts()) == 1
    assert is_told(pipeline.owned[0].durable[b"milk"]) is False
    assert not is_complete(batch)
    pipeline.log.may_confirm.set()
    await settled()

    assert is_told(pipeline.owned[0].durable[b"milk"]) is True
    assert is_complete(batch)


async def test_alert_is_not_published_before_its_doubt_is_durable(pipeline: Pipeline) -> None:
    await pipeline.levels(make_level(40))
    pipeline.owned[0].may_flush.clear()

    await pipeline.sales(make_movement(0, units=-40))
    before = pipeline.alerts()
    pipeline.owned[0].may_flush.set()
    await settled()

    assert (len(before), len(pipeline.alerts())) == (0, 1)


async def test_alert_in_doubt_is_told_again_before_what_became_of_it() -> None:
    """Or the last that was said may be what the shelf was for a moment: it is empty again."""
    lost = Pipeline()
    await lost.levels(make_level(40))
    await lost.sales(make_movement(0, units=-40))
    lost.log.may_confirm.clear()
    later = make_level(5, event_id="l2", occurred_at_ms=NOON_MS + 20 * MINUTE_MS)
    await lost.levels(later, first_offset=1)
    restarted = Pipeline()
    restarted.owned[0].values.update(lost.owned[0].durable)

    again = make_level(0, event_id="l3", occurred_at_ms=NOON_MS + 21 * MINUTE_MS)
    await restarted.levels(again, first_offset=2)

    shortage = [
        alert for alert in (*lost.alerts(), *restarted.alerts()) if alert.situation == "shortage"
    ]
    risk, empty = "stockout_risk", "out_of_stock"
    told = [(alert.revision, alert.kind) for alert in shortage]
    assert told == [(1, empty), (2, risk), (2, risk), (3, empty)]
    assert len({alert.alert_id for alert in shortage}) == 1


def is_told(product: Product) -> bool | None:
    return all(alert.is_told for alert in product.alerts) if product.alerts else None


async def test_alert_cut_off_before_it_was_remembered_comes_again_with_its_id() -> None:
    lost = Pipeline()
    await lost.levels(make_level(40))
    lost.log.may_confirm.clear()
    await lost.sales(make_movement(0, units=-40))
    restarted = Pipeline()
    restarted.owned[0].values.update(lost.owned[0].durable)

    await restarted.sales(make_movement(0, units=-40))

    (before,), (again,) = lost.alerts(), restarted.alerts()
    assert (again.alert_id, again.revision) == (before.alert_id, before.revision)
    assert on_hand(restarted.product()) == 0


async def test_product_that_expired_while_its_alert_was_published_stays_forgotten(
    pipeline: Pipeline,
) -> None:
    await pipeline.levels(make_level(40))
    pipeline.log.may_confirm.clear()
    await pipeline.sales(make_movement(0, units=-40))

    pipeline.owned[0].put(b"milk", None)
    pipeline.log.may_confirm.set()
    await settled()

    assert len(pipeline.alerts()) == 1
    assert pipeline.owned[0].get(b"milk") is None


async def test_product_spread_over_partitions_is_looked_at_in_each(pipeline: Pipeline) -> None:
    await pipeline.sales(make_movement(0))
    short, full = (
        batch_of(STOCK_LEVELS.name, [Record(encode(make_level(units)), b"milk", 0)], partition=i)
        for i, units in enumerate((1, 900))
    )

    pipeline.pipeline.accept(short)
    await pipeline.take(full)

    assert [alert.figures.on_hand for alert in pipeline.alerts()] == [0]
    assert (is_complete(short), is_complete(full)) == (True, True)


async def test_repeated_movement_changes_nothing(pipeline: Pipeline) -> None:
    await pipeline.levels(make_level(100))
    await pipeline.sales(make_movement(0))

    await pipeline.sales(make_movement(0))

    assert on_hand(pipeline.product()) == 99


async def test_every_worker_is_told_again_after_a_repeat(pipeline: Pipeline) -> None:
    await pipeline.sales(make_movement(0))

    await pipeline.sales(make_movement(0))

    first, again = pipeline.told()
    assert first == again


async def test_history_is_folded_without_an_alert(pipeline: Pipeline) -> None:
    await pipeline.levels(make_level(50))

    batch = await pipeline.sales(make_movement(0, units=-50), history=True)

    assert (pipeline.alerts(), batch.completed) == ([], True)
    assert on_hand(pipeline.product()) == 0


async def test_uncounted_product_is_never_forecast(pipeline: Pipeline) -> None:
    await pipeline.sales(make_movement(0))

    assert pipeline.model.requests == []


async def test_forecast_comes_from_the_own_past_while_the_model_is_away(
    pipeline: Pipeline,
) -> None:
    pipeline.model.refuse = lambda _: InferenceUnavailable("away")
    await pipeline.levels(make_level(40))

    await pipeline.sales(make_movement(0, units=-40))

    (alert,) = pipeline.alerts()
    assert (alert.degraded, alert.model) == (True, "empirical_quantiles")


async def test_product_the_model_refuses_is_still_watched(pipeline: Pipeline) -> None:
    pipeline.model.refuse = lambda _: InferenceRejected("no")
    await pipeline.levels(make_level(40))

    await pipeline.sales(make_movement(0, units=-40))

    assert [alert.degraded for alert in pipeline.alerts()] == [True]


async def test_forecast_that_is_no_number_is_not_believed(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nonsense(*_: object) -> dict[str, object]:
        return {"cumulative": np.full((1, HORIZON_DAYS, len(QUANTILES)), np.nan, np.float32)}

    monkeypatch.setattr(pipeline.model, "infer", nonsense)

    await pipeline.levels(make_level(0))
    await pipeline.sales(make_movement(0))

    assert [alert.degraded for alert in pipeline.alerts()] == [True]


async def test_product_nothing_happened_to_is_looked_at_once_a_day(pipeline: Pipeline) -> None:
    await pipeline.levels(make_level(6), make_level(500, product_id="salt"))
    rounds = Round(pipeline.owned, pipeline.clock, pipeline.pipeline.look_after, per_tick=10)
    rounds.tick()
    await settled()
    n_requests = len(pipeline.model.requests)

    rounds.tick()
    await settled()
    assert len(pipeline.model.requests) == n_requests
    pipeline.clock.observe(STOCK_LEVELS.name, 0, NOON_MS + DAY_MS)
    rounds.tick()
    await settled()

    assert pipeline.model.requests[n_requests:] == [("forecaster", "2", 2)]


def expiry_of(
    pipeline: Pipeline, also: Callable[[bytes], list[OutRecord]] | None = None
) -> Expiry[Product]:
    """Products that nothing happened to for ten days are let go."""
    return Expiry(
        "products",
        lambda product, now_ms: is_expired(product, now_ms, 10 * DAY_MS),
        pipeline.clock,
        settling=pipeline.settling,
        telemetry=pipeline.telemetry,
        also=also,
    )


def tombstone(key: bytes) -> list[OutRecord]:
    return [OutRecord(PRODUCT_STATE.name, 0, key, None)]


async def test_state_goes_only_once_others_are_told(pipeline: Pipeline) -> None:
    """A worker that dies between the two would leave nobody who knows whom to tell of."""
    await pipeline.levels(make_level(500))
    pipeline.clock.observe(STOCK_LEVELS.name, 0, NOON_MS + 11 * DAY_MS)
    pipeline.log.may_confirm.clear()
    expiry_of(pipeline, tombstone).visit(pipeline.owned[0], [b"milk"])
    await settled()
    before = (pipeline.owned[0].get(b"milk"), pipeline.log.of(PRODUCT_STATE.name)[-1].value)

    pipeline.log.may_confirm.set()
    await settled()

    assert before[0] is not None
    assert before[1] is None
    assert pipeline.owned[0].durable == {}


async def test_product_that_comes_back_while_others_are_told_stays(pipeline: Pipeline) -> None:
    await pipeline.levels(make_level(500))
    pipeline.clock.observe(STOCK_LEVELS.name, 0, NOON_MS + 11 * DAY_MS)
    pipeline.log.may_confirm.clear()
    expiry_of(pipeline, tombstone).visit(pipeline.owned[0], [b"milk"])
    again = make_level(400, event_id="level-1", occurred_at_ms=NOON_MS + 11 * DAY_MS)
    pipeline.pipeline.accept(
        batch_of(STOCK_LEVELS.name, [Record(encode(again), b"milk", offset=1)])
    )
    pipeline.log.may_confirm.set()
    await settled()

    assert b"milk" in pipeline.owned[0].durable


async def test_old_state_is_deleted_with_a_tombstone(pipeline: Pipeline) -> None:
    await pipeline.levels(make_level(500))
    expiry = expiry_of(pipeline)
    rounds = Round(pipeline.owned, pipeline.clock, expiry.visit, per_tick=10)
    rounds.tick()
    await settled()
    assert pipeline.owned[0].durable

    pipeline.clock.observe(STOCK_LEVELS.name, 0, NOON_MS + 11 * DAY_MS)
    rounds.tick()
    await settled()

    assert pipeline.clock.today == TODAY + 11
    assert pipeline.owned[0].durable == {}


async def test_state_does_not_expire_while_a_topic_of_its_partition_lags(
    pipeline: Pipeline,
) -> None:
    await pipeline.levels(make_level(500))
    expiry = expiry_of(pipeline)

    pipeline.clock.observe(STOCK_MOVEMENTS.name, 0, NOON_MS + 400 * DAY_MS)
    pipeline.clock.observe(STOCK_LEVELS.name, 1, NOON_MS + 400 * DAY_MS)
    Round(pipeline.owned, pipeline.clock, expiry.visit, per_tick=10).tick()
    await settled()

    assert pipeline.owned[0].durable


async def test_every_product_is_looked_at_again_after_a_rebalance(pipeline: Pipeline) -> None:
    await pipeline.levels(make_level(6))
    rounds = Round(pipeline.owned, pipeline.clock, pipeline.pipeline.look_after, per_tick=10)
    rounds.tick()
    await settled()
    n_requests = len(pipeline.model.requests)

    rounds.restart()
    rounds.tick()
    await settled()

    assert len(pipeline.model.requests) == n_requests + 1


async def test_row_of_a_partition_that_was_lost_and_owned_anew_touches_nothing_there(
    pipeline: Pipeline,
) -> None:
    await pipeline.levels(make_level(500))
    lost, owned_anew = pipeline.owned[0], KeptStates(0)
    half_recovered = apply_level(Product("milk"), make_level(0), levels_at(0))
    half_recovered = apply_movement(half_recovered, make_movement(0))
    owned_anew.values[b"milk"] = half_recovered

    pipeline.pipeline.look_after(lost, [b"milk"])
    lost.values.clear()
    pipeline.owned.states[0] = owned_anew
    await settled()

    assert pipeline.alerts() == []
    assert owned_anew.values == {b"milk": half_recovered}


# --- Droughts ----------------------------------------------------------------------------------


async def test_days_without_stock_are_known_however_records_are_batched(
    pipeline: Pipeline,
) -> None:
    apart = Pipeline()
    facts = [
        make_level(3 * (day % 2), event_id=f"l{day}", occurred_at_ms=NOON_MS + day * DAY_MS)
        for day in range(7)
    ]

    await pipeline.levels(*facts)
    for offset, fact in enumerate(facts):
        await apart.levels(fact, first_offset=offset)

    assert pipeline.product().sold_out == (TODAY, TODAY + 2, TODAY + 4)
    assert pipeline.product() == replace(apart.product(), alerts=pipeline.product().alerts)


async def test_past_of_a_store_says_nothing_of_droughts(pipeline: Pipeline) -> None:
    """Its orders may be read long before its deliveries."""
    await pipeline.levels(make_level(5, occurred_at_ms=NOON_MS - 9 * DAY_MS))

    await pipeline.sales(
        *(
            make_movement(day, units=-5, occurred_at_ms=NOON_MS - (9 - day) * DAY_MS + 1)
            for day in range(9)
        ),
        history=True,
    )

    assert (pipeline.product().sold_out, pipeline.product().drought_since_day) == ((), None)


# --- Upgrade -----------------------------------------------------------------------------------


async def test_alert_told_before_there_were_situations_is_told_again_under_its_id(
    pipeline: Pipeline,
) -> None:
    await pipeline.levels(make_level(0))
    await pipeline.sales(make_movement(0))
    (told,) = pipeline.product().alerts
    former = replace(told, revision=3, told_at_ms=0)
    pipeline.owned[0].put(b"milk", replace(pipeline.product(), alerts=(former,)))

    await pipeline.sales(make_movement(1))
    await pipeline.sales(make_movement(2))

    *_, again, gone = pipeline.log.of(STOCK_ALERTS.name)
    assert [(record.key, record.value is None) for record in (again, gone)] == [
        (b"shortage/milk", False),
        (b"milk", True),
    ]
    told_of = [alert_of(each) for each in pipeline.log.of(STOCK_ALERTS.name) if each.value]
    assert [each.revision for each in told_of] == [1, 2, 3]
    assert len({each.alert_id for each in told_of}) == 1


def alert_of(record: OutRecord) -> StockAlert:
    return msgspec.json.decode(record.value or b"", type=StockAlert)


# --- Locations ---------------------------------------------------------------------------------


async def test_forgotten_counts_are_counted(pipeline: Pipeline) -> None:
    shelves = [
        replace(
            make_level(1, event_id=f"l{n}", occurred_at_ms=NOON_MS + n), location=f"shop {n:02}"
        )
        for n in range(MAX_LOCATIONS + 2)
    ]

    await pipeline.levels(*shelves[:-1])
    await pipeline.levels(shelves[-1], first_offset=len(shelves))

    value = pipeline.telemetry.registry.get_sample_value("stream_forgotten_locations_total")
    assert value == 1
