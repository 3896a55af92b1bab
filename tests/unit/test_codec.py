from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import msgspec
import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from stream.codec import (
    MAX_ERROR_BYTES,
    MAX_HEADER_BYTES,
    AnswerEncoder,
    dead_letter,
    decode_clickstream,
    decode_movement,
    decode_orders,
    decode_stock_level,
    encode,
    is_history,
    not_after,
)
from stream.domain.events import ProductViewed
from stream.domain.outputs import Cover, Recommendation, RecommendedItem, Strategy
from stream.domain.ranking import SIMILAR_SESSIONS, trends
from stream.errors import InvalidEvent
from stream.settings import BATCH_OVERHEAD_BYTES
from tests.unit.builders import (
    NOON_MS,
    Record,
    make_level,
    make_movement,
    make_order,
    make_plan,
    make_view,
)

TOPIC = "store.events.v1"
VIEW = encode(make_view())
DECODERS: list[Callable[..., object]] = [
    decode_clickstream,
    decode_orders,
    decode_stock_level,
    decode_movement,
]


def reason_of(value: bytes | None, *, max_bytes: int = 10_000_000) -> str:
    with pytest.raises(InvalidEvent) as caught:
        decode_clickstream(Record(value), TOPIC, 2, max_bytes=max_bytes)
    return str(caught.value)


# --- Reading -----------------------------------------------------------------------------------


def test_encoded_events_are_read_as_they_were() -> None:
    assert decode_clickstream(Record(encode(make_view())), TOPIC, 0) == make_view()
    assert decode_orders(Record(encode(make_order())), TOPIC, 0) == make_order()
    assert decode_stock_level(Record(encode(make_level())), TOPIC, 0) == make_level()
    assert decode_stock_level(Record(encode(make_plan())), TOPIC, 0) == make_plan()
    assert decode_movement(Record(encode(make_movement())), TOPIC, 0) == make_movement()


def test_a_plan_that_ends_before_it_begins_is_refused() -> None:
    value = encode(make_plan(ends_at_ms=NOON_MS + 10**9))
    value = value.replace(str(NOON_MS + 10**9).encode(), str(NOON_MS).encode())

    with pytest.raises(InvalidEvent) as caught:
        decode_stock_level(Record(value), "store.stock-levels.v1", 2)

    assert str(caught.value) == (
        "store.stock-levels.v1[2]@3: Expected `ends_at_ms` > `begins_at_ms`"
    )


def test_mistake_is_located_in_the_topic_and_in_the_value() -> None:
    value = VIEW.replace(b'"product_id":"milk"', b'"product_id":7')

    assert reason_of(value) == (
        "store.events.v1[2]@3: Expected `str`, got `int` - at `$.product_id`"
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "got a null value"),
        (b"", "truncated"),
        (b"\x00\x01\xff", "malformed"),
        (b"\xef\xbb\xbf" + VIEW, "malformed"),
        (VIEW[:-1], "truncated"),
        (VIEW + b"x", "trailing characters"),
        (b"[]", "Expected `object`, got `array`"),
        (b"null", "Expected `object`, got `null`"),
        (b"{}", "missing required field `type`"),
        (VIEW.replace(b"product_viewed", b"product_admired"), "Invalid value 'product_admired'"),
        (encode(make_order()), "Invalid value 'order_completed'"),
        (VIEW.replace(b'"milk"', b'"\xff"'), "utf-8"),
        (VIEW.replace(b'"ann"', b'"\\ud800"'), "surrogate"),
        (VIEW.replace(b'"milk"', b'""'), "length >= 1"),
        (VIEW.replace(b'"milk"', b'"' + b"m" * 129 + b'"'), "length <= 128"),
        (VIEW.replace(b"}", b',"price":NaN}'), "malformed"),
        (VIEW.replace(b"}", b',"price":1e999}'), "out of range"),
        (VIEW.replace(b"}", b',"price":-1}'), ">= 0"),
        (VIEW.replace(b"}", b',"quantity":' + b"9" * 400 + b"}"), "<= 1000000"),
        (VIEW.replace(b"}", b',"quantity":1.0}'), "Expected `int`, got `float`"),
    ],
)
def test_unusable_value_is_an_invalid_event(value: bytes | None, reason: str) -> None:
    assert reason in reason_of(value)


@pytest.mark.parametrize("depth", [2_000, 200_000])
def test_deep_nesting_is_an_invalid_event(depth: int) -> None:
    value = VIEW.replace(b"}", b',"more":' + b"[" * depth + b"]" * depth + b"}")

    assert "nested too deeply" in reason_of(value)


def test_over_sized_value_is_not_even_parsed() -> None:
    assert "at most 10 bytes, got 11 bytes" in reason_of(b"x" * 11, max_bytes=10)


def test_unknown_field_is_ignored() -> None:
    value = VIEW.replace(b"}", b',"theme":{"dark":[true,null]}}')

    assert decode_clickstream(Record(value), TOPIC, 0) == make_view()


def test_of_a_repeated_field_the_last_counts() -> None:
    value = VIEW.replace(b'"product_id":"milk"', b'"product_id":"tea","product_id":"milk"')

    assert decode_clickstream(Record(value), TOPIC, 0) == make_view()


@pytest.mark.parametrize("decode", DECODERS)
@given(value=st.binary(max_size=60))
def test_any_bytes_are_an_event_or_an_invalid_event(
    decode: Callable[..., object], value: bytes
) -> None:
    with pytest.raises(InvalidEvent):
        decode(Record(value), TOPIC, 0)


@given(place=st.integers(0, len(VIEW) - 1), byte=st.integers(0, 255))
def test_any_damaged_byte_gives_an_event_or_an_invalid_event(place: int, byte: int) -> None:
    damaged = VIEW[:place] + bytes([byte]) + VIEW[place + 1 :]

    with suppress(InvalidEvent):
        event = decode_clickstream(Record(damaged), TOPIC, 0)
        assert isinstance(event, ProductViewed)


def test_future_is_cut_to_what_clocks_may_differ_by() -> None:
    event = make_view(occurred_at_ms=NOON_MS + 100)

    assert not_after(event, NOON_MS + 60).occurred_at_ms == NOON_MS + 60
    assert not_after(event, NOON_MS + 100) is event


def test_record_stamped_before_1970_puts_no_event_there() -> None:
    assert not_after(make_view(), -62_135_596_800_000).occurred_at_ms == 0


@pytest.mark.parametrize(
    ("as_of_ms", "expected_ms"),
    [(NOON_MS + 100, NOON_MS + 60), (NOON_MS + 60, NOON_MS + 60), (None, None)],
)
def test_count_as_of_the_future_is_cut_as_well(
    as_of_ms: int | None, expected_ms: int | None
) -> None:
    assert not_after(make_level(as_of_ms=as_of_ms), NOON_MS + 60).as_of_ms == expected_ms


def test_history_is_said_by_a_header() -> None:
    assert is_history(Record(b"", headers=[("history", b"")]))
    assert not is_history(Record(b"", headers=[("trace", b"1")]))
    assert not is_history(Record(b""))


# --- Dead letters ------------------------------------------------------------------------------


def headers_of(record: Record, *, max_bytes: int = 40_000) -> dict[str, bytes]:
    error = InvalidEvent(TOPIC, 2, record.offset, "Expected `int`, got `str`")
    return dict(dead_letter(record, TOPIC, 2, error, max_bytes=max_bytes).headers)


def test_dead_letter_keeps_the_bytes_and_tells_the_story() -> None:
    record = Record(b"\xff\x00", key=b"\xfe", headers=[("trace", b"1")])

    letter = dead_letter(record, TOPIC, 2, InvalidEvent(TOPIC, 2, 3, "not an event"))

    assert (letter.key, letter.value) == (b"\xfe", b"\xff\x00")
    assert dict(letter.headers) == {
        "dl-reason": b"InvalidEvent",
        "dl-topic": b"store.events.v1",
        "dl-partition": b"2",
        "dl-offset": b"3",
        "dl-error": b"store.events.v1[2]@3: not an event",
        "dl-at": str(NOON_MS).encode(),
        "trace": b"1",
    }


def test_over_sized_value_and_key_are_cut_and_the_headers_say_so() -> None:
    record = Record(b"v" * 5_000, key=b"k" * 4_000)

    letter = dead_letter(record, TOPIC, 2, InvalidEvent(TOPIC, 2, 3, "long"), max_bytes=3_000)

    assert set(letter.key or b"") == set(b"k")
    assert set(letter.value or b"") == set(b"v")
    headers = dict(letter.headers)
    assert headers["dl-cut-from-bytes"] == b"5000"
    assert headers["dl-key-cut-from-bytes"] == b"4000"


def test_short_key_or_value_leaves_its_room_to_the_other() -> None:
    long_value = dead_letter(
        Record(b"v" * 5_000), TOPIC, 2, InvalidEvent(TOPIC, 2, 3, "long"), max_bytes=3_000
    )
    long_key = dead_letter(
        Record(b"v", key=b"k" * 5_000), TOPIC, 2, InvalidEvent(TOPIC, 2, 3, "l"), max_bytes=3_000
    )

    assert long_value.key == b"ann"
    assert len(long_value.value or b"") > 2_500
    assert long_key.value == b"v"
    assert len(long_key.key or b"") > 2_500


@given(
    value=st.integers(0, 600_000),
    key=st.integers(0, 600_000),
    headers=st.lists(st.tuples(st.text(max_size=9), st.integers(0, 9_000)), max_size=9),
    reason=st.text(max_size=900),
    max_bytes=st.integers(2_048, 300_000),
)
def test_dead_letter_is_never_larger_than_a_batch_with_room_for_it(
    value: int, key: int, *, headers: list[tuple[str, int]], reason: str, max_bytes: int
) -> None:
    record = Record(b"v" * value, b"k" * key, headers=[(name, b"h" * n) for name, n in headers])

    letter = dead_letter(
        record, "t" * 249, 4095, InvalidEvent("t" * 249, 4095, 2**62, reason), max_bytes=max_bytes
    )

    batch = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 2 * max_bytes)
    batch.append(0, 2**40, letter.key, letter.value, [*letter.headers])
    assert batch.size() <= max_bytes + BATCH_OVERHEAD_BYTES


def test_many_empty_headers_take_their_room_too() -> None:
    record = Record(b"v", headers=[("", b"")] * 100_000)

    letter = dead_letter(record, TOPIC, 2, InvalidEvent(TOPIC, 2, 3, "many"), max_bytes=100_000)

    assert letter.value == b"v"
    assert len(letter.headers) < 1_000


def test_record_without_key_and_value_has_a_dead_letter_too() -> None:
    letter = dead_letter(Record(None, key=None), TOPIC, 2, InvalidEvent(TOPIC, 2, 3, "null"))

    assert (letter.key, letter.value) == (None, None)


def test_what_a_producer_wrote_is_printable_in_the_reason() -> None:
    reason = "Invalid value '\x1b[2J\n\u202e" + "x" * 9_000 + "' - at `$.type`"

    letter = dead_letter(Record(b""), TOPIC, 2, InvalidEvent(TOPIC, 2, 3, reason))

    error = dict(letter.headers)["dl-error"]
    assert error.startswith(rb"store.events.v1[2]@3: Invalid value '\x1b[2J\n\u202exxx")
    assert error.endswith(b"xxx' - at `$.type`")
    assert len(error) <= MAX_ERROR_BYTES


def test_original_headers_are_kept_within_a_bound() -> None:
    headers = headers_of(Record(b"", headers=[("small", b"1"), ("big", b"x" * MAX_HEADER_BYTES)]))

    assert headers["small"] == b"1"
    assert "big" not in headers


def test_dead_letter_of_a_dead_letter_tells_its_own_story() -> None:
    headers = headers_of(Record(b"", headers=[("dl-topic", b"another"), ("trace", b"1")]))

    assert headers["dl-topic"] == b"store.events.v1"
    assert headers["trace"] == b"1"


def test_count_of_replays_outlives_a_second_dead_letter() -> None:
    headers = headers_of(Record(b"", headers=[("dl-replays", b"2"), ("dl-error", b"an old one")]))

    assert headers["dl-replays"] == b"2"
    assert b"an old one" not in headers["dl-error"]


@pytest.mark.parametrize("content", [b"", b"-1", b"100", b"2 ", b"two", b"9" * 9_000, b"\xff"])
def test_what_is_no_count_of_replays_is_not_kept(content: bytes) -> None:
    assert "dl-replays" not in headers_of(Record(b"", headers=[("dl-replays", content)]))


def test_headers_left_out_are_said_and_ours_are_not_missed() -> None:
    ours = [("dl-topic", b"x" * 5_000), ("dl-replays", b"1")]
    big = [("big", b"x" * MAX_HEADER_BYTES)]

    assert "dl-headers-cut-from" not in headers_of(Record(b"", headers=ours))
    assert headers_of(Record(b"", headers=[*ours, *big]))["dl-headers-cut-from"] == b"3"


def test_outputs_are_plain_json() -> None:
    value = encode(make_view(product_id="mælk"))

    assert msgspec.json.decode(value)["product_id"] == "mælk"
    assert isinstance(msgspec.json.decode(value, type=ProductViewed), ProductViewed)


def make_answer(items: tuple[RecommendedItem, ...], strategy: Strategy) -> Recommendation:
    return Recommendation(
        recommendation_id="1f",
        visitor_id="änn",
        covers=(Cover("t", 0, 3, 4),),
        items=items,
        strategy=strategy,
        model="counts",
        model_version="",
        degraded=True,
        created_at_ms=NOON_MS + 5,
        as_of_ms=NOON_MS,
    )


def test_answers_are_written_as_any_value_is() -> None:
    tea, bread = trends(["tea", "bread"], names={"tea": 'Tea, "green"'}), trends(["bread"])
    similar = (RecommendedItem(1, "milk", 0.3, SIMILAR_SESSIONS),)
    shown = [(), tea, tuple(tea[:]), tea[:1], bread, tea]
    answers = [make_answer(items, "trending") for items in shown]
    answers.insert(2, make_answer(similar, "session_transformer"))
    encode_answer = AnswerEncoder()

    written = [encode_answer(answer) for answer in answers]

    assert written == [encode(answer) for answer in answers]
    assert msgspec.json.decode(written[1], type=Recommendation) == answers[1]
