from __future__ import annotations

import pytest

from stream.dead_letters.choice import Choice, choice_of, moment_ms
from stream.errors import Misconfigured
from stream.topics import EVENTS, ORDERS
from tests.unit.builders import NOON_MS
from tests.unit.dead_letters.letters import make_letter

HOUR_MS = 3_600_000


def chosen(**options: str) -> Choice:
    told = dict.fromkeys(("topic", "reason", "since", "until")) | options
    return choice_of(**told, now_ms=NOON_MS)


def test_letter_is_chosen_by_topic_reason_and_time() -> None:
    letter = make_letter(at_ms=NOON_MS)

    assert Choice().takes(letter)
    assert chosen(topic=EVENTS.name, reason="InvalidEvent").takes(letter)
    assert not chosen(topic=ORDERS.name).takes(letter)
    assert not chosen(reason="RefusedRow").takes(letter)


def test_span_of_time_takes_its_first_moment_and_not_its_last() -> None:
    span = chosen(since="2h", until="1h")

    taken = [
        ms
        for ms in (-1, 0, HOUR_MS - 1, HOUR_MS)
        if span.takes(make_letter(at_ms=NOON_MS - 2 * HOUR_MS + ms))
    ]

    assert taken == [0, HOUR_MS - 1]


def test_dead_letter_topic_stands_for_its_source() -> None:
    choice = chosen(topic="store.orders.v1.dead-letter")

    assert choice.topic == ORDERS.name
    assert choice.topics == ["store.orders.v1.dead-letter"]
    assert len(chosen().topics) == 4


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("90s", NOON_MS - 90_000),
        ("2h", NOON_MS - 2 * HOUR_MS),
        ("1w", NOON_MS - 7 * 24 * HOUR_MS),
        ("1970-01-02", 24 * HOUR_MS),
        ("1970-01-01T01:00:00.25", HOUR_MS + 250),
        ("1970-01-01T01:00+01:00", 0),
        ("1970-01-01T01:00Z", HOUR_MS),
    ],
)
def test_time_is_a_duration_ago_or_iso_8601_in_utc(text: str, expected_ms: int) -> None:
    assert moment_ms(text, NOON_MS, option="--since") == expected_ms


@pytest.mark.parametrize("text", ["", "h", "-2h", "2 h", "2y", "1e3s", "yesterday", "9999999w"])
def test_any_other_time_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(Misconfigured, match="--until: Expected ISO 8601"):
        chosen(until=text)


def test_unknown_topic_and_empty_span_are_refused() -> None:
    with pytest.raises(Misconfigured, match=r"Expected one of store\.events\.v1"):
        chosen(topic="store.recommendations.v1")
    with pytest.raises(Misconfigured, match="nothing lies between"):
        chosen(since="1h", until="2h")
