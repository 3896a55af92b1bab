"""The same work with the same model in plain Faust, in batches as its documentation takes them.

``take_events(100, within=0.05)``: a batch is complete with its hundredth event, or when fifty
milliseconds are over. The sessions are in a table; the model is asked once a batch.
Started by ``storestream bench latency``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import faust
from asking import MAX_ITEMS, PRODUCTS, SHOWN, candidates, client
from faust_records import PARTITIONS, Cover, Item, Recommendation, Viewed, make_app

app = make_app()
events = app.topic(os.environ["PEER_EVENTS"], key_type=bytes, value_type=Viewed)
answers = app.topic(os.environ["PEER_ANSWERS"], key_type=bytes, value_type=Recommendation)
# Without it a table refuses what is written outside of one event, as `take` is.
sessions = app.Table("sessions", default=list, partitions=PARTITIONS, use_partitioner=True)


@app.agent(events)
async def answer(stream: faust.Stream[Viewed]) -> None:
    """Fold a batch of events into their visitors' sessions, ask the model, and answer each."""
    asked = client()
    async for batch in stream.take_events(100, within=0.05):
        latest = []
        for event in batch:
            session = [*sessions[event.value.visitor_id], event.value.product_id][-MAX_ITEMS:]
            sessions[event.value.visitor_id] = session
            latest.append(session)
        found, scores = await candidates(asked, latest)
        for event, products, scored in zip(batch, found, scores, strict=True):
            await answers.send(
                key=event.value.visitor_id.encode(), value=recommendation(event, products, scored)
            )


def recommendation(
    event: faust.EventT[Viewed], products: Sequence[int], scores: Sequence[float]
) -> Recommendation:
    """Answer one *event* with the best ten of what the model proposes."""
    viewed, message = event.value, event.message
    return Recommendation(
        recommendation_id=f"{message.topic}/{message.partition}/{message.offset}",
        visitor_id=viewed.visitor_id,
        covers=[Cover(message.topic, message.partition, message.offset, message.offset)],
        items=[
            Item(rank, PRODUCTS[index - 1], score, "next in session")
            for rank, (index, score) in enumerate(zip(products[:SHOWN], scores, strict=False), 1)
        ],
        strategy="session_transformer",
        model="recommender",
        model_version="1",
        degraded=False,
        created_at_ms=int(time.time() * 1000),
        as_of_ms=viewed.occurred_at_ms,
    )


if __name__ == "__main__":
    app.main()
