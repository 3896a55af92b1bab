"""The same work with the same model in a loop around aiokafka, with nothing kept.

What is there is asked at once, answered and confirmed, and the next is fetched. The sessions are a
dict that dies with it; nothing is validated, no changelog is written. Answers are sent one by one,
as aiokafka's documentation does; that is what it takes longest for, so it is no lower bound.
Started by ``storestream bench latency``.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka_loop import run
from asking import MAX_ITEMS, PRODUCTS, SHOWN, candidates, client

ANSWERS = os.environ["PEER_ANSWERS"]
MAX_ROWS = 64
FETCH_WAIT_MS = 50

sessions: dict[str, list[str]] = {}


def fold(view: dict[str, str]) -> list[str]:
    """Add one view to its visitor's session and return a copy of it."""
    latest = sessions.setdefault(view["visitor_id"], [])
    latest.append(view["product_id"])
    del latest[:-MAX_ITEMS]
    return [*latest]


async def answer_all(consumer: AIOKafkaConsumer, producer: AIOKafkaProducer) -> None:
    """Answer batch by batch until cancelled."""
    asked = client()
    while True:
        batch = await consumer.getmany(timeout_ms=1000, max_records=MAX_ROWS)
        records = [record for part in batch.values() for record in part]
        if not records:
            continue
        views = [orjson.loads(record.value) for record in records]
        found, scores = await candidates(asked, [fold(view) for view in views])
        confirmed = [
            await producer.send(ANSWERS, answer(*each), key=each[0].key)
            for each in zip(records, views, found, scores, strict=True)
        ]
        await asyncio.gather(*confirmed)
        await consumer.commit()


def answer(
    record: ConsumerRecord, view: dict[str, str], products: Sequence[int], scores: Sequence[float]
) -> bytes:
    """Answer one *record* with the best ten of what the model proposes."""
    return orjson.dumps(
        {
            "recommendation_id": f"{record.topic}/{record.partition}/{record.offset}",
            "visitor_id": view["visitor_id"],
            "covers": [
                {
                    "topic": record.topic,
                    "partition": record.partition,
                    "first_offset": record.offset,
                    "last_offset": record.offset,
                }
            ],
            "items": [
                {
                    "rank": rank,
                    "product_id": PRODUCTS[index - 1],
                    "score": score,
                    "reason": "next in session",
                }
                for rank, (index, score) in enumerate(
                    zip(products[:SHOWN], scores, strict=False), 1
                )
            ],
            "strategy": "session_transformer",
            "model": "recommender",
            "model_version": "1",
            "degraded": False,
            "created_at_ms": int(time.time() * 1000),
            "as_of_ms": view["occurred_at_ms"],
        }
    )


asyncio.run(run(answer_all, fetch_max_wait_ms=FETCH_WAIT_MS))
