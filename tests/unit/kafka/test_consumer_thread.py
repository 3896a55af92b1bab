"""How the thread ends in which aiokafka runs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from faust.types import TP

from stream.kafka.consumer_thread import BatchConsumerThread
from stream.kafka.transport import BatchApp, Batching
from stream.kafka.vigil import Vigil


class Rejoining:
    """In the place of aiokafka's consumer: its stop waits for a rejoin that nobody answers."""

    def __init__(self, *, answered: bool) -> None:
        self.stopped = False
        self._answered = answered

    async def stop(self) -> None:
        if not self._answered:
            await asyncio.Event().wait()
        self.stopped = True


def a_thread() -> Any:
    app = BatchApp(
        "leaving",
        broker="storestream://127.0.0.1:1",
        loop=asyncio.get_running_loop(),
        batching=Batching(drain_timeout_s=0.05),
        broker_heartbeat_interval=0.1,
        broker_rebalance_timeout=1.7,
    )
    thread = app.consumer._thread
    assert isinstance(thread, BatchConsumerThread)
    return thread


async def stopped(consumer: Rejoining) -> None:
    thread = a_thread()
    thread._consumer = consumer
    try:
        async with asyncio.timeout(10):
            await thread.on_thread_stop()
    finally:
        thread.thread_loop.close()


async def test_a_stop_does_not_wait_for_a_rejoin_that_the_broker_holds() -> None:
    held = Rejoining(answered=False)

    await stopped(held)

    assert not held.stopped


async def test_a_stop_waits_for_the_goodbye() -> None:
    heard = Rejoining(answered=True)

    await stopped(heard)

    assert heard.stopped


class Asked:
    """In the place of the consumer in the app's thread: a rebalance finds the group gone."""

    def __init__(self, vigil: Vigil) -> None:
        self._vigil = vigil

    async def threadsafe_partitions_assigned(self, *_: object) -> None:
        self._vigil.lose()

    async def threadsafe_partitions_revoked(self, *_: object) -> None:
        self._vigil.lose()


@pytest.mark.parametrize(("partitions", "refuses"), [({TP("topic", 0)}, True), (set(), False)])
async def test_partitions_are_ours_before_the_app_hears_of_them(
    vigil: Vigil, partitions: set[TP], refuses: bool
) -> None:
    thread = a_thread()
    thread.app.vigil, thread.consumer = vigil, Asked(vigil)
    await thread.on_partitions_assigned(partitions)
    thread.thread_loop.close()

    assert vigil.refuses == refuses


async def test_partitions_are_ours_until_they_are_drained(vigil: Vigil) -> None:
    thread = a_thread()
    vigil.own()
    thread.app.vigil, thread.consumer = vigil, Asked(Vigil(10))
    await thread.on_partitions_revoked({TP("topic", 0)})
    vigil.lose()
    after = vigil.refuses
    vigil.own()
    thread.consumer = Asked(vigil)
    await thread.on_partitions_revoked({TP("topic", 0)})
    thread.thread_loop.close()

    assert (after, vigil.refuses) == (False, True)
