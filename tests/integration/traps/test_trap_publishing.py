"""Trap 6: what Faust's flush leaves behind, and what our ``publish`` waits for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import faust
import pytest

from stream.kafka.producer import BulkProducer
from stream.kafka.records import OutRecord
from stream.local.local_broker import LocalBroker
from tests.harness.freezing import frozen

pytestmark = pytest.mark.broker

#: Ten times as long as Faust waits for its buffer.
_A_WHILE_S = 1.0


@asynccontextmanager
async def _stock(bootstrap: str, folder: Path) -> AsyncIterator[faust.App]:
    """Faust as it comes, with its producer started."""
    loop = asyncio.get_running_loop()
    app = faust.App("stock", broker=f"kafka://{bootstrap}", datadir=folder, loop=loop)
    await app.producer.start()
    try:
        yield app
    finally:
        await app.producer.stop()


async def test_trap_06_flush_gives_up_on_what_is_not_sent(
    broker: LocalBroker, new_topic: Callable[[int], str], producer: BulkProducer, tmp_path: Path
) -> None:
    async with _stock(broker.bootstrap, tmp_path) as app:
        topic = new_topic(1)  # its buffer waits to learn of it
        await producer.partitions_for(topic)
        with frozen(broker.child.pid):
            promises = [app.topic(topic).send_soon(value=b"1") for _ in range(3)]
            async with asyncio.timeout(_A_WHILE_S):
                await app.producer.flush()
            delivered = [promise.done() for promise in promises]
            publishing = asyncio.create_task(producer.publish([OutRecord(topic, 0, b"ann", b"1")]))
            confirmed, _ = await asyncio.wait([publishing], timeout=_A_WHILE_S)
        async with asyncio.timeout(20):
            await publishing
            await asyncio.gather(*promises)

    assert delivered == [False, False, False]
    assert not confirmed
