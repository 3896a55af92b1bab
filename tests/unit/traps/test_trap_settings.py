"""What Faust is told, and what it says of itself: traps 7, 8, 14, 15, 16 and 17."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import AsyncIterator
from importlib.util import find_spec
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import faust
import pytest
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from faust.sensors.metrics import performance_metrics
from faust.transport.drivers.aiokafka import ThreadedProducer
from faust.types.enums import ProcessingGuarantee
from mode.threads import ServiceThread

from stream.agents.gauges import set_gauges
from stream.agents.worker import WorkerApp
from stream.app import create_app
from stream.errors import Misconfigured
from stream.kafka.transport import BatchApp, consumer_of
from stream.settings import Settings
from stream.topics import EVENTS
from stream.wanted_topics import wanted_topics
from tests.unit.traps.sides import TP0, Side, our_side, stock_side

STOCK = "kafka://127.0.0.1:1"
OURS = "storestream://127.0.0.1:1"


@pytest.fixture
async def stock(tmp_path: Path) -> faust.App:
    return faust.App("stock", broker=STOCK, datadir=tmp_path, loop=asyncio.get_running_loop())


@pytest.fixture
async def worker() -> AsyncIterator[WorkerApp]:
    app = create_app(Settings(inference="none", metrics_port=0, replication=3))
    app.loop = asyncio.get_running_loop()
    yield app
    consumer_of(app)._thread.thread_loop.close()


async def test_trap_07_threaded_producer_breaks_at_shutdown(
    stock: faust.App, tmp_path: Path
) -> None:
    loop = asyncio.new_event_loop()
    thread = ThreadedProducer(None, stock, thread_loop=loop)
    thread._shutdown_initiated = True
    assert iscoroutinefunction(ServiceThread._shutdown_thread)
    with pytest.raises(TypeError, match="await"):
        await thread._shutdown_thread()
    loop.close()

    app = BatchApp("ours", broker=OURS, datadir=tmp_path, producer_threaded=True)
    with pytest.raises(Misconfigured, match="producer_threaded=True breaks at shutdown"):
        consumer_of(app)  # made at start


async def test_trap_08_exactly_once_of_faust_is_refused_at_start(tmp_path: Path) -> None:
    how = "exactly_once"
    async with stock_side(tmp_path, range(1), processing_guarantee=how) as theirs:
        assert theirs.app.conf.processing_guarantee is ProcessingGuarantee.EXACTLY_ONCE

    app = BatchApp("ours", broker=OURS, datadir=tmp_path, processing_guarantee=how)
    with pytest.raises(Misconfigured, match="exactly_once is not this transport's"):
        await app.start()


async def test_trap_14_only_aiokafkas_driver_carries_fausts_assignor(
    tmp_path: Path,
) -> None:
    assert "group.id" in _keys_of_confluents_driver()
    assert "partition.assignment.strategy" not in _keys_of_confluents_driver()

    # And that one only with tables or standbys: ours has neither, and is co-partitioned all the same.
    async with stock_side(tmp_path, range(1), table_standby_replicas=0) as theirs:
        assert await _strategies(theirs) == [RoundRobinPartitionAssignor]
    async with our_side(tmp_path, range(1)) as ours:
        assert await _strategies(ours) == [ours.app.assignor]


async def test_trap_15_defaults_of_faust_are_not_ours(stock: faust.App, worker: WorkerApp) -> None:
    theirs, ours, settings = stock.conf, worker.conf, worker.parts.settings

    assert theirs.producer_request_timeout == 1200
    assert worker.parts.producer._options["request_timeout_ms"] == 30_000
    assert (theirs.broker_commit_interval, ours.broker_commit_interval) == (2.8, 1)
    assert (theirs.broker_request_timeout, ours.broker_request_timeout) == (90, 30)
    assert theirs.topic_replication_factor == 1
    assert {topic.replication for topic in wanted_topics(settings)} == {3}
    assert (theirs.topic_allow_declare, ours.topic_allow_declare) == (True, False)


async def test_trap_16_lag_counts_what_was_read_as_done(tmp_path: Path, worker: WorkerApp) -> None:
    async with stock_side(tmp_path, range(10)) as theirs:
        for message in await theirs.read():
            theirs.app.monitor.on_message_in(TP0, message.offset, message)
        monitored = performance_metrics(theirs.app)["consumer"]

        assert theirs.partition.committed is None
        assert monitored["lag_total"] <= 1

    consumer = consumer_of(worker)
    tp = TP0._replace(topic=EVENTS.name)
    consumer.assignment = lambda: {tp}
    consumer.highwater = lambda _: 10
    assert _lags(worker) == {"0": 10}
    consumer._committed_offset[tp] = 4
    assert _lags(worker) == {"0": 6}
    consumer.assignment = lambda: {tp._replace(partition=1)}
    assert _lags(worker) == {"1": 10}


async def test_trap_17_web_server_without_authentication(
    stock: faust.App, worker: WorkerApp
) -> None:
    assert (stock.conf.web_enabled, stock.conf.web_bind) == (True, "0.0.0.0")  # noqa: S104
    assert stock.web in stock.boot_strategy.web_server()

    worker.conf.web_enabled = True  # as ``faust worker`` sets it unless told otherwise
    assert list(worker.boot_strategy.web_server()) == []
    assert Settings().metrics_host == "127.0.0.1"


def _lags(worker: WorkerApp) -> dict[str, float]:
    set_gauges(worker.parts, consumer_of(worker))
    [metric] = worker.parts.telemetry.committed_lag.collect()
    return {sample.labels["partition"]: sample.value for sample in metric.samples}


async def _strategies(side: Side) -> list[Any]:
    """Return what a member of the group would offer to be assigned by."""
    member = side.consumer._thread._create_worker_consumer(side.app.transport)
    strategies: list[Any] = member._partition_assignment_strategy
    await member.stop()
    return strategies


def _keys_of_confluents_driver() -> set[object]:
    """Return the keys of every dictionary in its source: librdkafka's options are among them."""
    driver = find_spec("faust.transport.drivers.confluent")
    assert driver is not None
    tree = ast.parse(Path(driver.origin or "").read_text(encoding="utf-8"))
    keys = [key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys]
    return {key.value for key in keys if isinstance(key, ast.Constant)}
