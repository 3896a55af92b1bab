"""What loops around aiokafka begin and end with: a consumer that commits by hand, a producer."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

BROKER = os.environ["PEER_BROKER"]


async def run(
    answer_all: Callable[[AIOKafkaConsumer, AIOKafkaProducer], Awaitable[None]], **options: object
) -> None:
    """Run *answer_all* until SIGTERM; *options* are the consumer's."""
    consumer = AIOKafkaConsumer(
        os.environ["PEER_EVENTS"],
        bootstrap_servers=BROKER,
        group_id=os.environ["PEER_APP"],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        **options,
    )
    async with consumer, AIOKafkaProducer(bootstrap_servers=BROKER) as producer:
        work = asyncio.ensure_future(answer_all(consumer, producer))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
        await asyncio.wait([work])
        if not work.cancelled():
            await work
