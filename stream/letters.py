"""Dead letters read back: what ``codec.dead_letter`` wrote, and the original to send again.

Anybody may write to a topic, so nothing of a letter is believed before it was looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec
from msgspec import Struct

from stream.kafka.records import Headers, InRecord, OutRecord, Place
from stream.kafka.tolerant import UNREADABLE_HEADER
from stream.topics import READ, REPLAYS, dead_letter_name

STORY_PREFIX = "dl-"
#: How often a record was sent again; the only ``dl-`` header that outlives a second dead letter.
REPLAYS_HEADER = "dl-replays"
#: Nothing is sent again more often than that, whoever asks; two digits at most are a count.
MAX_REPLAYS = 99
#: A word to group by; a longer one is not ours.
_MAX_REASON_CHARS = 64
#: Headers that say what a letter lacks of its original.
CUT_HEADERS = ("dl-cut-from-bytes", "dl-key-cut-from-bytes", "dl-headers-cut-from")
#: Reason of what lies in a dead-letter topic and tells no story.
NO_STORY = "NoDeadLetter"

_COUNT = re.compile(rb"[0-9]{1,2}")
_NUMBER = re.compile(rb"[0-9]{1,19}")
_TIME = re.compile(rb"-?[0-9]{1,19}")
_PLACE = re.compile(r"([A-Za-z0-9._-]{1,249})\[([0-9]{1,9})\]@([0-9]{1,19})")
_SOURCES = {dead_letter_name(spec.name): spec.name for spec in READ}


class Source(NamedTuple):
    """A record that was set aside; *at_ms* tells it from one of a topic that was created again."""

    place: Place
    at_ms: int


class Replay(Struct, frozen=True):
    """What is remembered of a record that was sent again, in the topic ``REPLAYS``.

    Attributes:
        at_ms: As of ``Source``.
        n_replays: The count that it was sent with.
    """

    topic: str
    partition: int
    offset: int
    at_ms: int
    n_replays: int

    @property
    def source(self) -> Source:
        """The record that was set aside."""
        return Source(Place(self.topic, self.partition, self.offset), self.at_ms)


_replay_decoder = msgspec.json.Decoder(Replay)


class Letter(Struct, frozen=True):
    """A dead letter.

    Attributes:
        at: Where the letter itself stands.
        at_ms: When it was set aside: the letter's append time.
        topic: Of the original, by the name of the topic that the letter lies in.
        source: The original; None where the letter's story is missing or another topic's.
        headers: Of the original.
        story: What was added: ``dl-`` headers, the first of each name.
        n_replays: How often it had been sent again when it became this letter.
    """

    at: Place
    at_ms: int
    topic: str
    source: Source | None
    reason: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    story: Mapping[str, bytes]
    n_replays: int

    @property
    def is_cut(self) -> bool:
        """Whether bytes of the original are missing."""
        return not self.story.keys().isdisjoint(CUT_HEADERS)

    @property
    def is_unreadable(self) -> bool:
        """Whether the value is what lay on the broker in place of a record that cannot be read."""
        return any(name == UNREADABLE_HEADER for name, _ in self.headers)


def letter_of(record: InRecord, topic: str, partition: int) -> Letter:
    """Return what *record* of the dead-letter topic *topic* tells; one without a story as well."""
    story: dict[str, bytes] = {}
    for name, content in record.headers:
        if name.startswith(STORY_PREFIX):
            story.setdefault(name, content or b"")
    source_topic = _SOURCES[topic]
    source = _source_of(story, source_topic)
    reason = story.get("dl-reason", b"").decode("utf-8", "replace")[:_MAX_REASON_CHARS]
    return Letter(
        at=Place(topic, partition, record.offset),
        at_ms=record.timestamp,
        topic=source_topic,
        source=source,
        reason=reason if source and reason else NO_STORY,
        key=record.key,
        value=record.value,
        headers=tuple(each for each in record.headers if not each[0].startswith(STORY_PREFIX)),
        story=story,
        n_replays=replays_of(record.headers),
    )


def replays_of(headers: Iterable[tuple[str, bytes | None]]) -> int:
    """Return how often a record was sent again, 0 to ``MAX_REPLAYS``.

    The highest count wins, so that nobody lowers it by adding another. Any producer may write the
    header: what is no count is ignored, and a high one only keeps that record from being sent.
    """
    counts = (
        int(content)
        for name, content in headers
        if name == REPLAYS_HEADER and content and _COUNT.fullmatch(content)
    )
    return max(counts, default=0)


def original(letter: Letter, source: Place, n_replays: int) -> OutRecord:
    """Return the record that became *letter*, to be sent to its *source* for the *n_replays*-th time."""
    count = (REPLAYS_HEADER, str(n_replays).encode())
    return OutRecord(
        source.topic, source.partition, letter.key, letter.value, (*letter.headers, count)
    )


def replay_of(record: InRecord) -> Replay | None:
    """Return what *record* of the topic ``REPLAYS`` remembers; None for anything else."""
    try:
        return _replay_decoder.decode(record.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def remembering(source: Source, n_replays: int, *, partition: int) -> OutRecord:
    """Return the record that remembers that *source* was sent for the *n_replays*-th time."""
    place, at_ms = source
    replay = Replay(place.topic, place.partition, place.offset, at_ms, n_replays)
    return OutRecord(REPLAYS.name, partition, str(place).encode(), msgspec.json.encode(replay))


def place_of(text: str) -> Place:
    """Read ``topic[partition]@offset``.

    Raises:
        ValueError: *text* is something else.
    """
    found = _PLACE.fullmatch(text)
    if found is None:
        raise ValueError(f"Expected TOPIC[PARTITION]@OFFSET, got {text!r}")
    topic, partition, offset = found.groups()
    return Place(topic, int(partition), int(offset))


def _source_of(story: Mapping[str, bytes], topic: str) -> Source | None:
    partition, offset = story.get("dl-partition", b""), story.get("dl-offset", b"")
    at_ms = story.get("dl-at", b"")
    is_told = _NUMBER.fullmatch(partition) and _NUMBER.fullmatch(offset) and _TIME.fullmatch(at_ms)
    if not is_told or story.get("dl-topic") != topic.encode():
        return None
    return Source(Place(topic, int(partition), int(offset)), int(at_ms))
