"""The same work in plain Faust, written as its documentation writes it.

JSON events in and checked, the last 50 products of each visitor kept in a table, one answer out per
event: the same message as ours, ten items and what it covers.
Started by ``storestream bench stream``; by hand::

    PEER_BROKER=127.0.0.1:9092 PEER_APP=plain PEER_EVENTS=in PEER_ANSWERS=out \
        python benchmarks/peers/plain_faust.py worker --without-web -l warn
"""

from __future__ import annotations

import os
import time

import faust

SHOWN = 10
#: Fill the answers of a visitor who has not seen ten products yet.
BEST_SELLERS = [str(100_000 + number) for number in range(SHOWN)]
PARTITIONS = int(os.environ.get("PEER_PARTITIONS", "4"))

app = faust.App(
    os.environ["PEER_APP"],
    broker="kafka://" + os.environ["PEER_BROKER"],
    store="memory://",
    datadir=os.environ.get("PEER_DATA"),
    topic_partitions=PARTITIONS,
    topic_replication_factor=1,
    table_standby_replicas=0,
    web_enabled=False,
    # The embedded broker lets a group join in 5 s with these, in 30 s with the defaults.
    broker_session_timeout=10,
    broker_heartbeat_interval=3,
    broker_rebalance_timeout=10,
)


class Viewed(faust.Record, serializer="json", validation=True):
    """The fields of ``product_viewed`` that the work needs, checked as they are read."""

    event_id: str
    occurred_at_ms: int
    visitor_id: str
    product_id: str


class Cover(faust.Record, include_metadata=False):
    """The record that an answer is for."""

    topic: str
    partition: int
    first_offset: int
    last_offset: int


class Item(faust.Record, include_metadata=False):
    """One product of an answer."""

    rank: int
    product_id: str
    score: float
    reason: str


class Recommendation(faust.Record, serializer="json", include_metadata=False):
    """What goes out for each event: the message that ``store.recommendations.v1`` has."""

    recommendation_id: str
    visitor_id: str
    covers: list[Cover]
    items: list[Item]
    strategy: str
    model: str
    model_version: str
    degraded: bool
    created_at_ms: int
    as_of_ms: int


events = app.topic(os.environ["PEER_EVENTS"], key_type=bytes, value_type=Viewed)
answers = app.topic(os.environ["PEER_ANSWERS"], key_type=bytes, value_type=Recommendation)
sessions = app.Table("sessions", default=list, partitions=PARTITIONS)


@app.agent(events)
async def answer(stream: faust.Stream[Viewed]) -> None:
    """Fold each event into its visitor's session and answer it."""
    async for event in stream.events():
        viewed, message = event.value, event.message
        latest = [*sessions[viewed.visitor_id], viewed.product_id][-50:]
        sessions[viewed.visitor_id] = latest
        products = [*latest[: -SHOWN - 1 : -1], *BEST_SELLERS][:SHOWN]
        await answers.send(
            key=viewed.visitor_id.encode(),
            value=Recommendation(
                recommendation_id=f"{message.topic}/{message.partition}/{message.offset}",
                visitor_id=viewed.visitor_id,
                covers=[Cover(message.topic, message.partition, message.offset, message.offset)],
                items=[
                    Item(rank, product_id, round(1 / rank, 6), "viewed lately")
                    for rank, product_id in enumerate(products, start=1)
                ],
                strategy="trending",
                model="counts",
                model_version="",
                degraded=True,
                created_at_ms=int(time.time() * 1000),
                as_of_ms=viewed.occurred_at_ms,
            ),
        )


if __name__ == "__main__":
    app.main()
