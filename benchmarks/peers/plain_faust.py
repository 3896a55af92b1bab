# ruff: noqa: INP001 - a script beside the package
"""The same work in plain Faust, written as its documentation writes it.

JSON events in, the last 50 products of each visitor kept in a table, one answer out per event.
Started by ``storestream bench stream``; by hand::

    PEER_BROKER=kafka://127.0.0.1:9092 PEER_APP=plain PEER_EVENTS=in PEER_ANSWERS=out \
        python benchmarks/peers/plain_faust.py worker --without-web -l warn
"""

from __future__ import annotations

import os

import faust

PARTITIONS = int(os.environ.get("PEER_PARTITIONS", "4"))

app = faust.App(
    os.environ["PEER_APP"],
    broker=os.environ["PEER_BROKER"],
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


class Viewed(faust.Record, serializer="json"):
    """The fields of ``product_viewed`` that the work needs."""

    visitor_id: str
    product_id: str
    occurred_at_ms: int


class Answer(faust.Record, serializer="json"):
    """What goes out for each event."""

    visitor_id: str
    items: list[str]
    as_of_ms: int


events = app.topic(os.environ["PEER_EVENTS"], key_type=bytes, value_type=Viewed)
answers = app.topic(os.environ["PEER_ANSWERS"], key_type=bytes, value_type=Answer)
sessions = app.Table("sessions", default=list, partitions=PARTITIONS)


@app.agent(events)
async def answer(stream: faust.Stream[Viewed]) -> None:
    """Fold each event into its visitor's session and answer it."""
    async for event in stream:
        items = [*sessions[event.visitor_id], event.product_id][-50:]
        sessions[event.visitor_id] = items
        await answers.send(
            key=event.visitor_id.encode(),
            value=Answer(event.visitor_id, items[:-11:-1], event.occurred_at_ms),
        )


if __name__ == "__main__":
    app.main()
