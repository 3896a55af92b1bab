"""The same work in a loop around librdkafka: the ceiling for one process of Python.

It validates nothing, keeps sessions in a dict that dies with it, has no changelog, waits for no
confirmation, and commits what it has been handed, not what it has answered.
"""

from __future__ import annotations

import os
import signal

import orjson
from answering import KEPT, recommendation
from confluent_kafka import Consumer, Message, Producer

BATCH = 10_000
#: Answers that may wait for the broker before the next batch is read.
WAITING = 500_000

stopped: list[int] = []
signal.signal(signal.SIGTERM, lambda number, _frame: stopped.append(number))

consumer = Consumer(
    {
        "bootstrap.servers": os.environ["PEER_BROKER"],
        "group.id": os.environ["PEER_APP"],
        "auto.offset.reset": "earliest",
        "auto.commit.interval.ms": 500,
    }
)
producer = Producer(
    {
        "bootstrap.servers": os.environ["PEER_BROKER"],
        "partitioner": "murmur2_random",
        "queue.buffering.max.messages": 1_000_000,
    }
)
answers = os.environ["PEER_ANSWERS"]
sessions: dict[str, list[str]] = {}


def answer(message: Message) -> None:
    """Fold one event into its visitor's session and answer it."""
    view = orjson.loads(message.value())
    latest = sessions.setdefault(view["visitor_id"], [])
    latest.append(view["product_id"])
    del latest[:-KEPT]
    at = (message.topic(), message.partition(), message.offset())
    producer.produce(answers, orjson.dumps(recommendation(view, latest, at=at)), message.key())


consumer.subscribe([os.environ["PEER_EVENTS"]])
try:
    while not stopped:
        for message in consumer.consume(BATCH, timeout=0.1):
            if message.error() is None:
                answer(message)
        while len(producer) > WAITING:
            producer.poll(0.1)
        producer.poll(0)
finally:
    producer.flush()
    consumer.close()
