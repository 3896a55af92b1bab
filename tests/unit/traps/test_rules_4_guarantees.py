"""What is guaranteed, one test each; ``tests/faults`` proves the same on processes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from stream.app import create_app
from stream.codec import encode
from stream.domain.history import history_of
from stream.domain.outputs import Cover
from stream.errors import InferenceRejected, InferenceUnavailable, Misconfigured
from stream.kafka.notes import Begun
from stream.kafka.records import RecordBatch
from stream.kafka.suspicion import is_culprit, suspicion_of
from stream.kafka.transport import Batching, consumer_of
from stream.kafka.vigil import Vigil
from stream.ports import Tensors
from stream.settings import Settings
from stream.topics import EVENTS, dead_letter_name
from tests.unit.builders import NOON_MS, Record, make_level, make_movement, make_view
from tests.unit.pipeline.fakes import batch_of, settled
from tests.unit.pipeline.scenes import PRODUCTS, RecommendScene, StockScene
from tests.unit.traps.sides import TP0, our_side, stock_side


async def test_rule_4_at_least_once_completes_after_outputs_and_changelog() -> None:
    scene = RecommendScene()
    scene.log.may_confirm.clear()
    scene.owned[0].may_flush.clear()
    batch = await scene.take(_views(0))
    complete = [batch.completed]
    for gate in (scene.log.may_confirm, scene.owned[0].may_flush):
        gate.set()
        await settled()
        complete.append(batch.completed)

    assert complete == [False, False, True]


async def test_rule_4_effectively_once_a_repeat_is_folded_once_and_recognisable() -> None:
    scene = RecommendScene()
    await scene.take(_views(0, 1))
    once = scene.session()

    await scene.take(_views(0, 1))

    first, again = scene.answers()
    assert first.covers == again.covers == (Cover(EVENTS.name, 0, 0, 1),)
    assert first.recommendation_id == again.recommendation_id
    assert scene.session() == once
    assert len(history_of(once).products) == 2


async def test_rule_4_bad_input_becomes_a_dead_letter_and_stops_nothing() -> None:
    scene = RecommendScene()
    huge = b"x" * 9_000
    records = [Record(huge, offset=0), Record(encode(make_view(1)), offset=1)]

    batch = await scene.take(batch_of(EVENTS.name, records))

    (letter,) = scene.log.of(dead_letter_name(EVENTS.name))
    story = {name: value for name, value in letter.headers if name.startswith("dl-")}
    assert (story["dl-topic"], story["dl-offset"]) == (EVENTS.name.encode(), b"0")
    assert (story["dl-reason"], story["dl-cut-from-bytes"]) == (b"InvalidEvent", b"9000")
    assert huge.startswith(letter.value or b"-")
    assert len(scene.answers()) == 1
    assert batch.completed


async def test_rule_4_bad_input_that_the_model_refuses_is_found_by_bisection() -> None:
    scene = RecommendScene()
    poison = PRODUCTS.index("p7") + 1

    def refuse(inputs: Tensors) -> Exception | None:
        return InferenceRejected("no") if (inputs["items"] == poison).any() else None

    scene.model.refuse = refuse
    views = [make_view(n, product_id=f"p{n + 1}", visitor_id=f"v{n}") for n in range(16)]
    records = [Record(encode(view), view.visitor_id.encode(), n) for n, view in enumerate(views)]

    batch = await scene.take(batch_of(EVENTS.name, records))

    (letter,) = scene.log.of(dead_letter_name(EVENTS.name))
    assert letter.key == b"v6"
    assert {answer.visitor_id for answer in scene.answers()} == {f"v{n}" for n in range(16)} - {
        "v6"
    }
    assert batch.completed


async def test_rule_4_bad_input_that_kills_is_set_aside_after_so_many_crashes() -> None:
    def culprit(n_crashes: int) -> bool:
        note = Begun(100, n_crashes, 1, n_records=1, last_offset=100)
        suspicion = suspicion_of(note, committed=100, epoch=1, max_in_flight=16_000)
        return suspicion is not None and is_culprit(suspicion, Settings().quarantine_after)

    assert [culprit(n_crashes) for n_crashes in (1, 2, 3)] == [False, False, True]


async def test_rule_4_bug_stops_its_partition_loudly() -> None:
    scene = RecommendScene()
    scene.model.refuse = lambda _: ZeroDivisionError("a bug")
    batch = _views(0)

    scene.pipeline.accept(batch)
    await settled()

    assert [type(failure) for failure in scene.failures] == [ZeroDivisionError]
    assert not batch.completed


async def test_rule_4_triton_away_means_degraded_answers_until_it_is_back() -> None:
    scene = RecommendScene()
    answered = scene.model.refuse
    scene.model.refuse = lambda _: InferenceUnavailable("away")
    await scene.take(_views(0))
    scene.model.refuse = answered
    await scene.take(_views(1))

    assert [answer.degraded for answer in scene.answers()] == [True, False]


async def test_rule_4_triton_away_means_forecasts_from_a_products_past_until_it_is_back() -> None:
    scene = StockScene()
    answered = scene.model.refuse
    scene.model.refuse = lambda _: InferenceUnavailable("away")
    await scene.levels(make_level(40))
    await scene.sales(make_movement(0, units=-40))
    scene.model.refuse = answered
    counted = make_level(90, event_id="level-1", occurred_at_ms=NOON_MS + 20 * 60_000)
    await scene.levels(counted, first_offset=1)

    away, back = [alert for alert in scene.alerts() if alert.situation == "shortage"]
    assert (away.degraded, away.model) == (True, "empirical_quantiles")
    assert (back.degraded, back.model, back.status) == (False, "forecaster", "resolved")


async def test_rule_4_shutdown_drains_and_commits_before_it_leaves(tmp_path: Path) -> None:
    async with our_side(tmp_path, range(5), drain_timeout_s=5) as ours:
        (batch,) = await ours.batches()
        ours.consumer.tracker.begin(batch)
        stopping = asyncio.create_task(ours.consumer.on_stop())
        await settled()
        before = (stopping.done(), ours.partition.committed)
        batch.complete()
        async with asyncio.timeout(5):
            await stopping

        assert (before, ours.partition.committed) == ((False, None), 5)


async def test_rule_4_shutdown_drains_and_commits_though_the_group_rebalances_meanwhile(
    tmp_path: Path,
) -> None:
    async with our_side(tmp_path, range(5), drain_timeout_s=5) as ours:
        (batch,) = await ours.batches()
        ours.consumer.tracker.begin(batch)
        ours.app._stopped.set()
        revoking = asyncio.create_task(ours.consumer.on_partitions_revoked({TP0}))
        await settled()
        before = (revoking.done(), ours.partition.committed)
        batch.complete()
        async with asyncio.timeout(5):
            await revoking

        assert (before, ours.partition.committed) == ((False, None), 5)


async def test_rule_4_shutdown_waits_for_no_write_that_is_refused(tmp_path: Path) -> None:
    async with our_side(tmp_path, range(5), drain_timeout_s=5) as ours:
        (batch,) = await ours.batches()
        ours.consumer.tracker.begin(batch)
        ours.app.vigil = vigil = Vigil(10)
        vigil.own()
        vigil.lose()
        async with asyncio.timeout(2):
            await ours.consumer.wait_empty()

        assert ours.partition.committed is None


async def test_rule_4_shutdown_closes_clients_in_order_and_last() -> None:
    worker = create_app(Settings(inference="none", metrics_port=0))
    worker.loop, closed = asyncio.get_running_loop(), list[str]()

    def part(name: str) -> Any:
        async def stop() -> None:
            closed.append(name)

        return SimpleNamespace(stop=stop)

    names = ("settling", "bulletin", "producer", "models")
    parts: dict[str, Any] = {name: part(name) for name in names}
    worker.parts = replace(worker.parts, batchers={"recommender": part("batcher")}, **parts)
    await worker.on_shutdown()
    consumer_of(worker)._thread.thread_loop.close()

    assert closed == ["batcher", *names]


async def test_rule_4_shutdown_is_shorter_than_the_rebalance_timeout(tmp_path: Path) -> None:
    async with stock_side(tmp_path, range(1)) as stock:
        assert stock.app.conf.broker_rebalance_timeout == 60
    with pytest.raises(Misconfigured, match="drain_timeout_s"):
        async with our_side(tmp_path, range(1), drain_timeout_s=9):
            pass
    with pytest.raises(ValidationError, match="shutdown shorter than the rebalance timeout"):
        Settings(shutdown_timeout_s=10, broker_rebalance_timeout_s=10)
    assert Batching().drain_timeout_s < 10


def _views(*offsets: int) -> RecordBatch:
    views = [make_view(offset, product_id=f"p{offset + 1}") for offset in offsets]
    records = [Record(encode(view), offset=view.occurred_at_ms - NOON_MS) for view in views]
    return batch_of(EVENTS.name, records)
