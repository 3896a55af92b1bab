"""Letters as the codec writes them and as they are read back."""

from __future__ import annotations

from collections.abc import Sequence

from stream.codec import dead_letter
from stream.errors import InvalidEvent
from stream.letters import Letter, letter_of
from stream.topics import EVENTS, TopicSpec, dead_letter_name
from tests.unit.builders import NOON_MS, Record


def make_letter(
    value: bytes | None = b"not JSON",
    *,
    topic: TopicSpec = EVENTS,
    partition: int = 2,
    offset: int = 3,
    key: bytes | None = b"ann",
    headers: Sequence[tuple[str, bytes]] = (),
    error: str = "malformed",
    reason: str | None = None,
    letter_offset: int = 8,
    at_ms: int = NOON_MS + 5,
    max_bytes: int = 40_000,
) -> Letter:
    """Set a record aside, and read what was written of it."""
    record = Record(value, key=key, offset=offset, headers=headers)
    why = InvalidEvent(topic.name, partition, offset, error)
    made = dead_letter(record, topic.name, partition, why, max_bytes=max_bytes, reason=reason)
    stored = Record(made.value, made.key, letter_offset, at_ms, made.headers)
    return letter_of(stored, dead_letter_name(topic.name), partition)
