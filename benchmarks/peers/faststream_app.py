"""The same work in FastStream, written as its documentation writes it.

Events are checked by a pydantic model, each answer is returned by the handler, which waits until the
broker has it. Sessions are kept in a dict that dies with it: FastStream has no state.
"""

from __future__ import annotations

import asyncio
import logging
import os

from answering import KEPT, recommendation
from faststream import FastStream
from faststream.kafka import KafkaBroker, KafkaMessage, KafkaResponse
from pydantic import BaseModel

broker = KafkaBroker(os.environ["PEER_BROKER"], log_level=logging.DEBUG)
app = FastStream(broker)

sessions: dict[str, list[str]] = {}


class Viewed(BaseModel):
    """The fields of ``product_viewed`` that the work needs, checked as they are read."""

    event_id: str
    occurred_at_ms: int
    visitor_id: str
    product_id: str


@broker.subscriber(
    os.environ["PEER_EVENTS"], group_id=os.environ["PEER_APP"], auto_offset_reset="earliest"
)
@broker.publisher(os.environ["PEER_ANSWERS"])
async def answer(viewed: Viewed, message: KafkaMessage) -> KafkaResponse:
    """Fold one event into its visitor's session and answer it."""
    record = message.raw_message
    latest = sessions.setdefault(viewed.visitor_id, [])
    latest.append(viewed.product_id)
    del latest[:-KEPT]
    at = (record.topic, record.partition, record.offset)
    body = recommendation(viewed.model_dump(), latest, at=at)
    return KafkaResponse(body, key=viewed.visitor_id.encode())


if __name__ == "__main__":
    asyncio.run(app.run())
