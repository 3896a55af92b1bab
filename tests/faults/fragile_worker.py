"""A worker whose decoder takes the process with it at a marked record, like a bug in native code.

At another mark it raises what nobody expects, like a bug of ours; at two more it never returns: it
waits for nothing, or is busy in native code, which keeps all other threads of Python from running.
At one it leaves the batch as if another owned it, so that nobody ever completes it; after the last
one the consumer fetches nothing more, and nobody hears of it.

Started in place of ``python -m stream``; nothing of the project itself knows the marks.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import threading
from typing import Any

import aiokafka.consumer.consumer
from aiokafka.consumer.fetcher import Fetcher

from stream.cli import main
from stream.codec import decode_clickstream
from stream.domain.events import ClickstreamEvent
from stream.errors import PartitionRevoked

#: In the value of a record, as a product's id for instance.
DEADLY = b"deadly"
EXIT_CODE = 9
BUGGY = b"buggy"
STUCK = b"stuck"
SPINNING = b"spinning"
FORGOTTEN = b"forgotten"
DEAFENING = b"deafening"

_decode = decode_clickstream.decode
_fetchers: list[Fetcher] = []


class KnownFetcher(Fetcher):  # type: ignore[misc]  # mypy does not follow aiokafka
    """aiokafka's, which nothing of ours can reach otherwise."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _fetchers.append(self)


def deafen() -> None:
    """End the task that sends the fetches of the group's consumer, which has a loop of its own."""
    for fetcher in _fetchers:
        task = fetcher._fetch_task
        if task.get_loop() is not asyncio.get_running_loop() and not task.done():
            task.get_loop().call_soon_threadsafe(task.cancel)


def decode_or_die(value: bytes) -> ClickstreamEvent:
    """Decode *value*; at the mark the process ends, without a word to anybody."""
    if DEADLY in value:
        os._exit(EXIT_CODE)
    if BUGGY in value:
        raise ZeroDivisionError
    if FORGOTTEN in value:
        raise PartitionRevoked("forgotten")
    if DEAFENING in value:
        deafen()
    if STUCK in value:
        threading.Event().wait()
    if SPINNING in value:
        re.match(r"(a+)+$", "a" * 60 + "b")
    return _decode(value)


if __name__ == "__main__":
    decode_clickstream.decode = decode_or_die
    aiokafka.consumer.consumer.Fetcher = KnownFetcher
    sys.exit(main())
