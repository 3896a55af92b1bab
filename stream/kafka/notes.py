"""What an owner of a partition leaves for the next one: what it began, what is to be set aside.

Notes lie in a compacted topic, those of a partition in the partition of the same number, keyed by
the topic they are about; so they are state like any other, recovered before the first record.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
import structlog

from .store import Form

log = structlog.get_logger(__name__)

SetAsideReason = Literal["Quarantined", "Skipped"]


class Begun(msgspec.Struct, frozen=True, tag="begun", forbid_unknown_fields=True):
    """Records that an owner began; while the group's offset stands at ``first``, nobody finished.

    Attributes:
        first: The committed offset when they were begun.
        n_owners: How many owners began them, or more records around them, the last one included.
        epoch: Of the topic; another one has other records at these offsets.
        n_records: How many; 0: all that was in flight, nobody counted.
        last_offset: Of the last of them; meaningless without ``n_records``.
    """

    first: int
    n_owners: int
    epoch: int = 0
    n_records: int = 0
    last_offset: int = 0


class SetAside(msgspec.Struct, frozen=True, tag="set-aside", forbid_unknown_fields=True):
    """The record at ``offset`` goes to the dead letters, whoever reads it; nobody processes it.

    Attributes:
        reason: Which word the dead letter gives as its reason.
        n_crashes: How many workers ended at it, as far as that was counted.
        epoch: Of the topic.
    """

    offset: int
    reason: SetAsideReason
    n_crashes: int = 0
    epoch: int = 0


class Illegible(msgspec.Struct, frozen=True):
    """A note of somebody else's making: it says nothing, and must not stop a partition."""


Note: TypeAlias = Begun | SetAside | Illegible

_decoder = msgspec.json.Decoder(Begun | SetAside)


def dump(note: Note) -> bytes:
    """Return *note* as JSON, which an operator can read with any client."""
    return msgspec.json.encode(note)


def load(stored: bytes) -> Note:
    """Return the note of *stored*."""
    try:
        note: Begun | SetAside = _decoder.decode(stored)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        log.warning("note_illegible", error=str(error))
        return Illegible()
    return note


FORM: Form[Note] = Form(dump, load)


def begun_key(topic: str) -> bytes:
    """Return the key of the note on what was begun: one for each partition of *topic*."""
    return topic.encode()


def set_aside_key(topic: str, offset: int) -> bytes:
    """Return the key of the note on one record."""
    return f"{topic}@{offset}".encode()


def is_set_aside_key(key: bytes, topic: str) -> bool:
    """Whether *key* is of a note on one record of *topic*."""
    return key.startswith(topic.encode() + b"@")
