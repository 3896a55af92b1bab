"""The same work in a loop around aiokafka, written as its documentation writes it.

A batch at a time: its answers are confirmed, then its offsets committed. Sessions are kept in a
dict that dies with it; nothing is validated.
"""

from __future__ import annotations

import asyncio
import os

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka_loop import run
from answering import KEPT, recommendation

ANSWERS = os.environ["PEER_ANSWERS"]

sessions: dict[str, list[str]] = {}


def answer(record: ConsumerRecord) -> bytes:
    """Fold one event into its visitor's session and answer it."""
    view = orjson.loads(record.value)
    latest = sessions.setdefault(view["visitor_id"], [])
    latest.append(view["product_id"])
    del latest[:-KEPT]
    at = (record.topic, record.partition, record.offset)
    return orjson.dumps(recommendation(view, latest, at=at))


async def answer_all(consumer: AIOKafkaConsumer, producer: AIOKafkaProducer) -> None:
    """Answer batch by batch until cancelled."""
    while True:
        batch = await consumer.getmany(timeout_ms=1000)
        confirmed = [
            await producer.send(ANSWERS, answer(record), key=record.key)
            for records in batch.values()
            for record in records
        ]
        if confirmed:
            await asyncio.gather(*confirmed)
            await consumer.commit()


asyncio.run(run(answer_all))
