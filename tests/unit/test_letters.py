from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.kafka.records import Place
from stream.letters import (
    MAX_REPLAYS,
    NO_STORY,
    Source,
    letter_of,
    original,
    place_of,
    remembering,
    replay_of,
    replays_of,
)
from stream.topics import EVENTS, ORDERS, REPLAYS, dead_letter_name
from tests.unit.builders import NOON_MS, Record
from tests.unit.dead_letters.letters import make_letter

HEADERS = [("trace", b"1"), ("trace", b"2"), ("bytes", b"\xff\x00")]
PLACE = Place(EVENTS.name, 2, 3)


def test_letter_gives_back_the_record_that_was_set_aside() -> None:
    letter = make_letter(b"\xff\x00", key=b"\xfe", headers=HEADERS)

    record = original(letter, PLACE, 1)

    assert (record.topic, record.partition) == (EVENTS.name, 2)
    assert (record.key, record.value) == (b"\xfe", b"\xff\x00")
    assert record.headers == (*HEADERS, ("dl-replays", b"1"))


@pytest.mark.parametrize(("key", "value"), [(None, None), (b"", b""), (None, b"x")])
def test_absent_key_or_value_is_not_an_empty_one(key: bytes | None, value: bytes | None) -> None:
    record = original(make_letter(value, key=key), PLACE, 1)

    assert (record.key, record.value) == (key, value)


def test_letter_tells_source_reason_and_times() -> None:
    letter = make_letter()

    assert letter.source == Source(PLACE, NOON_MS)
    assert (letter.reason, letter.topic, letter.at_ms) == ("InvalidEvent", EVENTS.name, NOON_MS + 5)
    assert str(letter.at) == "store.events.v1.dead-letter[2]@8"
    assert (letter.is_cut, letter.is_unreadable, letter.n_replays) == (False, False, 0)


def test_count_goes_on_from_letter_to_letter() -> None:
    letter = make_letter()
    for n_replays in (1, 2, 3):
        letter = make_letter(headers=original(letter, PLACE, n_replays).headers)

        assert letter.n_replays == n_replays
    assert letter.headers == ()


def test_letter_that_lacks_value_key_or_headers_is_cut() -> None:
    assert make_letter(b"v" * 5_000, max_bytes=3_000).is_cut
    assert make_letter(key=b"k" * 5_000, max_bytes=3_000).is_cut
    assert make_letter(headers=[("big", b"x" * 5_000)], max_bytes=3_000).is_cut


def test_record_that_could_not_be_read_is_said_to_be_unreadable() -> None:
    assert make_letter(headers=[("unreadable", b"Expected 9 bytes, got 3")]).is_unreadable


@pytest.mark.parametrize(
    "changed",
    [
        {"dl-topic": ORDERS.name.encode()},
        {"dl-topic": b"\xff"},
        {"dl-partition": b""},
        {"dl-partition": b"-1"},
        {"dl-offset": b"1" * 20},
        {"dl-offset": "٣".encode()},
        {"dl-at": b"noon"},
    ],
)
def test_story_that_is_not_ours_names_no_source(changed: dict[str, bytes]) -> None:
    story = {"dl-topic": EVENTS.name.encode(), "dl-reason": b"InvalidEvent"}
    story |= {"dl-partition": b"2", "dl-offset": b"3", "dl-at": b"-5"}
    name = dead_letter_name(EVENTS.name)
    good = Record(b"", headers=tuple(story.items()))
    bad = Record(b"", headers=tuple((story | changed).items()))

    assert letter_of(good, name, 2).source == Source(PLACE, -5)
    assert (letter_of(bad, name, 2).source, letter_of(bad, name, 2).reason) == (None, NO_STORY)


@given(headers=st.lists(st.tuples(st.text(max_size=12), st.binary(max_size=30)), max_size=9))
def test_any_record_is_read_as_a_letter(headers: list[tuple[str, bytes]]) -> None:
    letter = letter_of(Record(b"", headers=headers), dead_letter_name(EVENTS.name), 0)

    assert letter.topic == EVENTS.name


def test_of_several_counts_the_highest_holds() -> None:
    assert replays_of([("dl-replays", b"%d" % count) for count in (1, 3, 2)]) == 3


@given(content=st.one_of(st.none(), st.binary(max_size=40)))
def test_count_of_replays_is_bounded_whatever_a_producer_sends(content: bytes | None) -> None:
    assert 0 <= replays_of([("dl-replays", content)]) <= MAX_REPLAYS


def test_what_was_sent_again_is_remembered_as_it_was() -> None:
    source = Source(PLACE, NOON_MS)

    noted = remembering(source, 2, partition=1)
    replay = replay_of(Record(noted.value))

    assert (noted.topic, noted.partition, noted.key) == (REPLAYS.name, 1, b"store.events.v1[2]@3")
    assert replay is not None
    assert (replay.source, replay.n_replays) == (source, 2)


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"[]", b'{"topic":"t"}', b"[" * 100_000])
def test_any_other_record_remembers_nothing(value: bytes | None) -> None:
    assert replay_of(Record(value)) is None


def test_place_is_read_as_it_is_written() -> None:
    assert place_of(str(PLACE)) == PLACE


@pytest.mark.parametrize(
    "text",
    ["", "t[1]", "t@1", "t[-1]@1", "t[1]@x", "t[1]@1 ", "t[1]@1\n", "t t[1]@1", f"t[1]@{'9' * 20}"],
)
def test_anything_else_is_no_place(text: str) -> None:
    with pytest.raises(ValueError, match=r"Expected TOPIC\[PARTITION\]@OFFSET"):
        place_of(text)
