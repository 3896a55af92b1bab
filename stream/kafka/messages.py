"""A record batch as the one message that Faust passes on."""

from __future__ import annotations

from faust.types import TP, ConsumerMessage

from .records import RecordBatch


def message_of(batch: RecordBatch, generation_id: int) -> ConsumerMessage:
    """Return the message whose value is *batch*; its offset is the last one.

    Without the app's *generation_id* the stream drops the message without a word.
    """
    return ConsumerMessage(
        batch.topic,
        batch.partition,
        batch.last_offset,
        batch.records[-1].timestamp / 1000,
        timestamp_type=0,
        headers=None,
        key=None,
        value=batch,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=batch.n_bytes,
        tp=TP(batch.topic, batch.partition),
        generation_id=generation_id,
    )
