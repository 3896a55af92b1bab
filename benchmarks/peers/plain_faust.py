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
from faust_records import PARTITIONS, Cover, Item, Recommendation, Viewed, make_app

SHOWN = 10
#: Fill the answers of a visitor who has not seen ten products yet.
BEST_SELLERS = [str(100_000 + number) for number in range(SHOWN)]
app = make_app()
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
