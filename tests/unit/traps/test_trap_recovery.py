"""A worker that dies slowly, and a recovery that never ends: traps 9 and 12."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.subscription_state import SubscriptionState
from faust.types import TP

from stream.agents.watchdog import Stalled, Watchdog
from stream.agents.worker import WorkerApp
from stream.app import create_app
from stream.errors import RecoveryFailed
from stream.kafka.records import OutRecord
from stream.kafka.recovery import recover
from stream.kafka.store import Form, StateStore
from stream.kafka.transport import consumer_of
from stream.settings import Settings
from stream.topics import EVENTS, PRODUCTS_CHANGELOG, SESSIONS_CHANGELOG
from stream.wanted_topics import wanted_topics
from tests.unit.builders import Clock
from tests.unit.traps.sides import TP0, record_at, stock_side

A_DAY_S = 24 * 3600.0


@pytest.fixture
async def worker() -> AsyncIterator[WorkerApp]:
    """A worker whose crash is looked at and not carried out."""
    app = create_app(Settings(inference="none", metrics_port=0))
    app.loop = asyncio.get_running_loop()
    shelf = SimpleNamespace(failure=None)
    app.parts = replace(app.parts, bulletin=shelf)  # type: ignore[arg-type]
    app.crash = nothing
    yield app
    consumer_of(app)._thread.thread_loop.close()


async def test_trap_09_consumer_that_fetches_nothing_lives_on(
    tmp_path: Path, worker: WorkerApp, caplog: pytest.LogCaptureFixture
) -> None:
    async with stock_side(tmp_path, range(10)) as stock:
        thread = stock.consumer._thread
        thread.time_started = -A_DAY_S
        subscriptions = SubscriptionState()
        subscriptions.assign_from_user({TopicPartition(*TP0)})
        thread._consumer = SimpleNamespace(_fetcher=SimpleNamespace(_subscriptions=subscriptions))
        with caplog.at_level(logging.ERROR):
            thread.verify_event_path(A_DAY_S, TP0)

        assert caplog.records
        assert not stock.app.crashed

    clock, tp = Clock(), TP(EVENTS.name, 0)
    consumer = consumer_of(worker)
    consumer.assignment, consumer.highwater = (lambda: {tp}), (lambda _: 10)
    consumer.position = at_5
    worker.recovered, worker._watchdog = True, Watchdog(60, clock=clock)
    await worker.inspect()
    clock.now_s += 61
    await worker.inspect()

    assert isinstance(worker.failure, Stalled)
    assert not worker.live().holds


async def test_trap_12_event_of_an_unknown_partition_reaches_another_table(tmp_path: Path) -> None:
    async with stock_side(tmp_path, range(1)) as stock:
        applied = list[int]()
        recovery = stock.app.tables.recovery
        table = Table(applied)
        recovery.active_tps = {TP0}
        recovery.tp_to_table[TP0] = table
        queue = stock.app.tables.changelog_queue
        for topic in (TP0.topic, "of-nobody"):
            message = stock.consumer._to_message(TP(topic, 0), record_at(len(topic), topic))
            queue.put_nowait(stock.app.create_event(b"ann", b"milk", None, message))
        slurping = asyncio.create_task(recovery._slurp_changelogs.fun(recovery))
        async with asyncio.timeout(10):
            await table.is_told_of_nobodys.wait()
        slurping.cancel()
        await asyncio.wait([slurping])
        recovery.flush_buffers()

        assert applied == [len(TP0.topic), len("of-nobody")]

    store = StateStore("changelog", Nowhere(), Form(dump=str.encode, load=bytes.decode))
    store.open(0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()
        async with asyncio.timeout(4):
            with pytest.raises(RecoveryFailed, match=r"not read to the end in 0.3 s"):
                await recover(
                    store, [0], [f"{host}:{port}"], cancelled=lambda: False, deadline_s=0.3
                )


async def test_trap_12_recovery_that_fails_ends_the_worker(worker: WorkerApp) -> None:
    consumer_of(worker).assignment = lambda: {TP(EVENTS.name, 0)}
    settings = worker.parts.settings
    nowhere = settings.model_copy(update={"bootstrap_servers": "127.0.0.1:1"})
    worker.parts = replace(worker.parts, settings=nowhere)

    await worker._on_rebalanced(worker)

    assert isinstance(worker.failure, RecoveryFailed)
    cleanup = {topic.name: topic.config["cleanup.policy"] for topic in wanted_topics(settings)}
    assert cleanup[SESSIONS_CHANGELOG.name] == cleanup[PRODUCTS_CHANGELOG.name] == "compact"


class Table:
    """Says which offsets were applied to it."""

    recovery_buffer_size = standby_buffer_size = 1

    def __init__(self, applied: list[int]) -> None:
        self.is_told_of_nobodys = asyncio.Event()
        self._applied = applied

    async def on_changelog_event(self, event: Any) -> None:
        if event.message.topic != TP0.topic:
            self.is_told_of_nobodys.set()

    def apply_changelog_batch(self, events: Sequence[Any]) -> None:
        self._applied += [event.message.offset for event in events]


class Nowhere:
    async def publish(self, records: Sequence[OutRecord]) -> None:
        raise AssertionError(records)


async def nothing(_error: BaseException) -> None:
    pass


async def at_5(_: TP) -> int:
    return 5
