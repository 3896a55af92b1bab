"""How the thread ends in which aiokafka runs."""

from __future__ import annotations

import asyncio
from typing import Any

from stream.kafka.consumer_thread import BatchConsumerThread
from stream.kafka.transport import BatchApp, Batching


class Rejoining:
    """In the place of aiokafka's consumer: its stop waits for a rejoin that nobody answers."""

    def __init__(self, *, answered: bool) -> None:
        self.stopped = False
        self._answered = answered

    async def stop(self) -> None:
        if not self._answered:
            await asyncio.Event().wait()
        self.stopped = True


async def stopped(consumer: Rejoining) -> None:
    app = BatchApp(
        "leaving",
        broker="storestream://127.0.0.1:1",
        loop=asyncio.get_running_loop(),
        batching=Batching(drain_timeout_s=0.05),
        broker_heartbeat_interval=0.1,
        broker_rebalance_timeout=1.7,
    )
    thread: Any = app.consumer._thread
    assert isinstance(thread, BatchConsumerThread)
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
