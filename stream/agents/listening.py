"""Faust agents: they hand record batches to a pipeline and decide nothing."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Sequence

import structlog

from stream.errors import PartitionRevoked
from stream.kafka.records import RecordBatch
from stream.kafka.transport import BatchApp, batch_topic, consumer_of
from stream.topics import TopicSpec

log = structlog.get_logger(__name__)


def listen(
    app: BatchApp,
    name: str,
    topics: Sequence[TopicSpec],
    *,
    accept: Callable[[RecordBatch], None],
    on_failure: Callable[[BaseException], None],
) -> None:
    """Register an agent that hands every record batch of *topics* to *accept*.

    No exception leaves its body, for Faust would start the agent anew and go on: a bug goes to
    *on_failure*, and the batch is never completed, so that its records are read again. One whose
    records are read again anyway, for the consumer went back, is not accepted at all.
    """

    async def agent(batches: AsyncIterable[RecordBatch]) -> None:
        async for batch in batches:
            if not consumer_of(app).tracker.begin(batch):
                continue
            try:
                accept(batch)
            except PartitionRevoked as error:
                log.info("batch_left_to_new_owner", reason=str(error))
            except Exception as error:  # noqa: BLE001 - goes to on_failure, whatever it is
                on_failure(error)

    app.agent(batch_topic(app, *(topic.name for topic in topics)), name=name)(agent)
