"""Messages: bytes into events, outputs into bytes, and what cannot be read into dead letters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Generic, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from stream.domain.events import (
    ClickstreamEvent,
    OrdersEvent,
    StockEvent,
    StockLevelEvent,
    StockLevelSet,
    StockMovement,
    VisitorEvent,
)
from stream.domain.outputs import ProductState, Recommendation, RecommendedItem, StockAlert
from stream.domain.rollouts import Rollout
from stream.errors import InvalidEvent
from stream.kafka.records import InRecord
from stream.letters import REPLAYS_HEADER, STORY_PREFIX, replays_of
from stream.printable import printable

Fact = TypeVar("Fact")
Dated = TypeVar("Dated", bound="VisitorEvent | StockEvent | StockMovement")

#: Largest record that is decoded; a longer one is a dead letter.
MAX_EVENT_BYTES = 1024 * 1024
#: Size of a dead letter: key, value and headers together.
MAX_DEAD_LETTER_BYTES = 256 * 1024
#: Room for the original headers of a dead letter; a quarter of the letter at most.
MAX_HEADER_BYTES = 8 * 1024
MAX_ERROR_BYTES = 512
#: Two lengths as varints, beside the name and the value.
_HEADER_OVERHEAD = 10

_encoder = msgspec.json.Encoder()

#: Header of a record that is folded in without an answer: a store's past before it went live.
HISTORY_HEADER = "history"
#: The headers of such a record.
HISTORY = ((HISTORY_HEADER, b"1"),)


class DeadLetter(NamedTuple):
    """A record for a dead-letter topic: the original key and bytes, the story in its headers."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


#: What decoding raises for a value that is no fact.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Reading(Generic[Fact]):
    """How the records of one topic are read.

    Attributes:
        decode: From a record's value to its fact; raises one of ``UNREADABLE``.
        about: From a fact to whom it is about, who is the record's key as well.
    """

    def __init__(self, kind: object, about: str) -> None:
        """Read facts of the type *kind*, each about whom its field *about* names."""
        decoder: msgspec.json.Decoder[Fact] = msgspec.json.Decoder(kind)
        self.decode: Callable[[bytes], Fact] = decoder.decode
        self.about: Callable[[Fact], str] = attrgetter(about)

    def __call__(
        self, record: InRecord, topic: str, partition: int, *, max_bytes: int = MAX_EVENT_BYTES
    ) -> Fact:
        """Return the fact of *record*; raises ``InvalidEvent`` for anything else."""
        value = record.value
        if value is None or len(value) > max_bytes:
            raise self.refusal(record, topic, partition, max_bytes=max_bytes)
        try:
            return self.decode(value)
        except UNREADABLE as error:
            raise self.refusal(record, topic, partition, error=error) from error

    @staticmethod
    def refusal(
        record: InRecord,
        topic: str,
        partition: int,
        *,
        error: Exception | None = None,
        max_bytes: int = MAX_EVENT_BYTES,
    ) -> InvalidEvent:
        """Return why *record* is not taken: decoding it raised *error*, or its size forbids it."""
        if isinstance(error, RecursionError):
            reason = "JSON is nested too deeply"
        elif error is not None:
            reason = str(error)
        else:
            got = "a null value" if record.value is None else f"{len(record.value)} bytes"
            reason = f"Expected an event of at most {max_bytes} bytes, got {got}"
        return InvalidEvent(topic, partition, record.offset, reason)


decode_clickstream: Reading[ClickstreamEvent] = Reading(ClickstreamEvent, "visitor_id")
decode_orders: Reading[OrdersEvent] = Reading(OrdersEvent, "visitor_id")
decode_stock_level: Reading[StockLevelEvent] = Reading(StockLevelEvent, "product_id")
#: Of an order's line, re-keyed by product.
decode_movement: Reading[StockMovement] = Reading(StockMovement, "product_id")
#: Of what is told of a product.
decode_product_state: Reading[ProductState] = Reading(ProductState, "product_id")
decode_recommendation: Reading[Recommendation] = Reading(Recommendation, "visitor_id")
decode_alert: Reading[StockAlert] = Reading(StockAlert, "product_id")
decode_rollout: Reading[Rollout] = Reading(Rollout, "model")


def is_history(record: InRecord) -> bool:
    """Whether *record* belongs to the past: folded in, not answered."""
    headers = record.headers
    return bool(headers) and any(name == HISTORY_HEADER for name, _ in headers)


def not_after(event: Dated, latest_ms: int) -> Dated:
    """Return *event* as of *latest_ms* at the latest: a clock that runs ahead must not win.

    Pass the record's append time plus what clocks may differ by, so that the answer is the same
    whenever the record is read. A count's ``as_of_ms`` is held to the same: one of next year would
    be the latest count until then. A record may be stamped before 1970; time begins there.
    """
    latest_ms = max(0, latest_ms)
    if isinstance(event, StockLevelSet) and (event.as_of_ms or 0) > latest_ms:
        event = replace(event, as_of_ms=latest_ms)
    if event.occurred_at_ms <= latest_ms:
        return event
    return replace(event, occurred_at_ms=latest_ms)


def encode(value: msgspec.Struct) -> bytes:
    """Return *value* as JSON, fields in the order of the type."""
    return _encoder.encode(value)


class AnswerEncoder:
    """Writes recommendations as :func:`encode` does, byte for byte; scores are floats.

    Most answers without a model show the same best sellers; these are written once for as long as
    they are the same.
    """

    def __init__(self) -> None:
        self._items: tuple[RecommendedItem, ...] = ()
        self._json = msgspec.Raw(b"[]")

    def __call__(self, answer: Recommendation) -> bytes:
        """Return *answer* as JSON."""
        if answer.strategy != "trending":
            return _encoder.encode(answer)
        if answer.items != self._items:
            self._items, self._json = answer.items, msgspec.Raw(_encoder.encode(answer.items))
        return _encoder.encode(replace(answer, items=self._json))


def dead_letter(
    record: InRecord,
    topic: str,
    partition: int,
    error: Exception,
    *,
    max_bytes: int = MAX_DEAD_LETTER_BYTES,
    reason: str | None = None,
    at_ms: int | None = None,
) -> DeadLetter:
    """Return *record* for the dead-letter topic beside its own.

    Args:
        max_bytes: Of the letter as a whole, story and original headers included, so that it fits
            wherever *max_bytes* do. Key and value are cut to share it, and headers left out; a
            header says from what size, or from how many.
        reason: A word to group by; the error's class when absent.
        at_ms: When it was set aside; the record's append time when absent, so that a second
            attempt gives the same letter.
    """
    story = {
        "dl-reason": reason or type(error).__name__,
        "dl-topic": topic,
        "dl-partition": str(partition),
        "dl-offset": str(record.offset),
        "dl-error": _shortened(str(error)),
        "dl-at": str(record.timestamp if at_ms is None else at_ms),
    }
    if n_replays := replays_of(record.headers):
        story[REPLAYS_HEADER] = str(n_replays)
    key, value = record.key, record.value
    cut = {
        "dl-cut-from-bytes": str(len(value or b"")),
        "dl-key-cut-from-bytes": str(len(key or b"")),
        "dl-headers-cut-from": str(len(record.headers)),
    }
    room = max(0, max_bytes - _size_of(_encoded({**story, **cut})))
    originals, are_all = _original_headers(record, min(MAX_HEADER_BYTES, room // 4))
    if not are_all:
        story["dl-headers-cut-from"] = cut["dl-headers-cut-from"]
    room -= _size_of(originals)
    kept_key = None if key is None else key[: max(room // 2, room - len(value or b""))]
    kept_value = None if value is None else value[: room - len(kept_key or b"")]
    if kept_value != value:
        story["dl-cut-from-bytes"] = cut["dl-cut-from-bytes"]
    if kept_key != key:
        story["dl-key-cut-from-bytes"] = cut["dl-key-cut-from-bytes"]
    return DeadLetter(kept_key, kept_value, (*_encoded(story), *originals))


def _encoded(story: Mapping[str, str]) -> list[tuple[str, bytes]]:
    return [(name, text.encode("utf-8", "replace")) for name, text in story.items()]


def _shortened(text: str) -> str:
    """Bound *text*, in which a producer's own words may be quoted, so that a terminal can show it."""
    shown = printable(text, MAX_ERROR_BYTES)
    return shown.encode()[:MAX_ERROR_BYTES].decode("utf-8", "ignore")


def _size_of(headers: Iterable[tuple[str, bytes | None]]) -> int:
    return sum(
        len(name.encode("utf-8", "replace")) + len(value or b"") + _HEADER_OVERHEAD
        for name, value in headers
    )


def _original_headers(record: InRecord, room: int) -> tuple[list[tuple[str, bytes]], bool]:
    """Keep the first headers that fit, and say whether these are all.

    Earlier ``dl-`` headers would lie about this letter; they are not missed.
    """
    kept: list[tuple[str, bytes]] = []
    for name, value in record.headers:
        if name.startswith(STORY_PREFIX):
            continue
        room -= _size_of([(name, value)])
        if room < 0:
            return kept, False
        kept.append((name, value))
    return kept, True
