"""Waiting, by condition and within a bound, until every event sent is accounted for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from stream.demo.audit import Audit, Lost
from stream.demo.reading import TopicsReader
from stream.topics import (
    DEAD_LETTERS,
    INPUTS,
    PRODUCTS_CHANGELOG,
    RECOMMENDATIONS,
    SESSIONS_CHANGELOG,
    STOCK_ALERTS,
    STOCK_MOVEMENTS,
    TopicSpec,
)

_RESULTS = (
    RECOMMENDATIONS,
    STOCK_ALERTS,
    STOCK_MOVEMENTS,
    *DEAD_LETTERS,
    SESSIONS_CHANGELOG,
    PRODUCTS_CHANGELOG,
)


def verify(audit: Audit, bootstrap: str, *, timeout_s: float, check: Callable[[], None]) -> Lost:
    """Read the inputs once, then what came out, until nothing is lost or *timeout_s* is over.

    *check* is called between reads; it raises when waiting has become pointless.
    """
    deadline = time.monotonic() + timeout_s
    inputs = TopicsReader(bootstrap, _with_partitions(INPUTS, audit.n_partitions))
    for chunk in inputs.rest():
        audit.take_input(chunk)
        check()
    results = TopicsReader(bootstrap, _with_partitions(_RESULTS, audit.n_partitions))
    while True:
        for chunk in results.rest():
            audit.take(chunk)
            check()
        lost = audit.lost()
        if lost.total == 0 or time.monotonic() > deadline:
            return lost
        check()


def _with_partitions(topics: Iterable[TopicSpec], n_partitions: int) -> dict[str, int]:
    return {topic.name: n_partitions for topic in topics}
