from __future__ import annotations

import pytest

from stream.dead_letters.choice import Choice, choice_of
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


def test_unknown_topic_and_empty_span_are_refused() -> None:
    with pytest.raises(Misconfigured, match=r"Expected one of store\.events\.v1"):
        chosen(topic="store.recommendations.v1")
    with pytest.raises(Misconfigured, match="nothing lies between"):
        chosen(since="1h", until="2h")
