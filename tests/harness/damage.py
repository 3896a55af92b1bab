"""Records that our own clients would not send."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy


class NoText(str):
    """A header name whose bytes are not UTF-8."""

    __slots__ = ()

    def encode(self, *_: object, **__: object) -> bytes:
        """Return what no decoder takes."""
        return b"\xff\xfe"


async def publish_with_damaged_header(
    bootstrap: str, topic: str, values: Sequence[bytes], *, partition: int = 0
) -> None:
    """Append *values* in one batch; each one's header name is no text where the value says bad."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        batch = producer.create_batch()
        batch._builder = _DefaultRecordBatchBuilderPy(2, 0, 0, -1, -1, -1, 100_000)
        for value in values:
            name = NoText("bad") if b"bad" in value else "trace"
            batch.append(timestamp=None, key=b"k", value=value, headers=[(name, b"1")])
        await (await producer.send_batch(batch, topic, partition=partition))
