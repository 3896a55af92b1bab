"""The Faust transport ``storestream://host:port``: whole record batches in, explicit completion.

Faust keeps the app, its agents, the group, the assignment and the command line. An app is made by
``BatchApp``, its topics by ``batch_topic``; an agent's stream then yields ``RecordBatch``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

import faust
from faust.transport.drivers import aiokafka
from faust.types import AppT, EventT, Message, TopicT
from faust.types.transports import ConsumerT

from .consumer import BatchConsumer
from .consumer_app import FAUST_OPTIONS, BatchApp, Batching
from .tracker import OffsetTracker
from .wary_consumer import WaryConsumer

__all__ = [
    "FAUST_OPTIONS",
    "BatchApp",
    "BatchConsumer",
    "BatchSchema",
    "Batching",
    "OffsetTracker",
    "Transport",
    "batch_topic",
    "consumer_of",
]


class Transport(aiokafka.Transport):  # type: ignore[misc]  # mypy does not follow Faust
    """Faust's aiokafka transport with a consumer that reads in batches."""

    Consumer: ClassVar[type[ConsumerT]] = WaryConsumer


class BatchSchema(faust.Schema[Any, Any]):  # type: ignore[misc]  # nor here
    """Passes a message's ``RecordBatch`` on undecoded: the codec reads its records in one pass."""

    batches = True

    def compile(self, app: AppT, **_: Any) -> Callable[..., Any]:
        """Return a decoder that cannot fail."""

        async def decode(message: Message, **_: Any) -> EventT[Any]:
            return app.create_event(None, message.value, message.headers, message)

        return decode


def batch_topic(app: BatchApp, *names: str) -> TopicT:
    """Return *names* as one Faust topic whose stream yields ``RecordBatch``.

    Faust neither declares it nor counts its acknowledgements (``acks=False``); the tracker bounds
    what its queue holds.
    """
    return app.topic(*names, schema=BatchSchema(), acks=False, internal=False)


def consumer_of(app: BatchApp) -> BatchConsumer:
    """Return the consumer of *app*, for its tracker and epochs."""
    return cast("BatchConsumer", app.consumer)
