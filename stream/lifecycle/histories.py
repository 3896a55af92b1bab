"""Histories of visitors, to ask models about."""

from __future__ import annotations

from pathlib import Path

import msgspec

from stream.adapters.security import client_options
from stream.domain.history import History, history_of
from stream.domain.trail import Kind
from stream.errors import Misconfigured, TopicMismatch
from stream.kafka.administration import list_topics
from stream.kafka.topic_scan import TopicScan
from stream.settings import Settings
from stream.state import sessions
from stream.topics import SESSIONS_CHANGELOG

_decode = msgspec.json.Decoder(tuple[str, ...]).decode


def histories_in(path: Path, n_histories: int) -> list[History]:
    """Return the first histories of a file that has a JSON list of product ids a line: views.

    Raises:
        Misconfigured: It cannot be read, or a line is no such list.
    """
    try:
        lines = path.read_text("utf-8").splitlines()[:n_histories]
        viewed = [_decode(line) for line in lines if line]
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise Misconfigured(f"{path}: expected a JSON list of ids a line: {error}") from error
    return [History(products, [Kind.VIEW] * len(products)) for products in viewed]


async def histories_of(settings: Settings, n_histories: int) -> list[History]:
    """Return what the visitors did whose sessions changed last, as the broker keeps them.

    Raises:
        TopicMismatch: The store has no sessions.
        ReadFailed: The broker did not hand them over.
    """
    security = client_options(settings)
    found = list_topics(settings.bootstrap, [SESSIONS_CHANGELOG.name], security=security)
    if not found:
        raise TopicMismatch(f"Expected {SESSIONS_CHANGELOG.name}, got no such topic")
    latest: dict[bytes | None, bytes] = {}
    scan = TopicScan(
        settings.bootstrap,
        {SESSIONS_CHANGELOG.name: found[0].partitions},
        client_id=f"{settings.client_id}-models",
        security=security,
    )
    async with scan:
        async for span in scan.to_ends():
            for record in span.records:
                latest.pop(record.key, None)
                if record.value is not None:
                    latest[record.key] = record.value
            while len(latest) > n_histories:
                del latest[next(iter(latest))]
    return [history_of(sessions.load(value)) for value in latest.values()]
