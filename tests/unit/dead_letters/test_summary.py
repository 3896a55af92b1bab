from __future__ import annotations

import io
import json

from rich.console import Console

from stream.dead_letters.summary import MAX_GROUPS, OTHER_REASONS, Summary
from stream.letters import Letter
from stream.moments import moment
from stream.topics import EVENTS, ORDERS
from tests.unit.builders import NOON_MS
from tests.unit.dead_letters.letters import make_letter


def summed(*letters: Letter, replayed: tuple[Letter, ...] = ()) -> Summary:
    summary = Summary()
    for letter in letters:
        summary.add(letter, is_replayed=letter in replayed)
    return summary


def test_letters_are_counted_by_topic_and_reason() -> None:
    first = make_letter(offset=1, at_ms=NOON_MS + 9)
    between = make_letter(offset=3, at_ms=NOON_MS + 15)
    last = make_letter(offset=2, at_ms=NOON_MS + 20)
    cut = make_letter(b"v" * 5_000, topic=ORDERS, reason="RefusedRow", max_bytes=3_000)

    told = json.loads(summed(last, first, between, cut, replayed=(first,)).as_json())

    assert told["letters"] == 4
    assert told["groups"][0] == {
        "topic": EVENTS.name,
        "reason": "InvalidEvent",
        "letters": 3,
        "replayed": 1,
        "cut": 0,
        "first_at_ms": NOON_MS + 9,
        "last_at_ms": NOON_MS + 20,
        "example": "store.events.v1[2]@2",
    }
    assert (told["groups"][1]["reason"], told["groups"][1]["cut"]) == ("RefusedRow", 1)


def test_number_of_groups_is_bounded_and_no_letter_uncounted() -> None:
    n_reasons = MAX_GROUPS + 50

    told = json.loads(summed(*(make_letter(reason=f"r{n}") for n in range(n_reasons))).as_json())

    assert told["letters"] == n_reasons
    assert len(told["groups"]) == MAX_GROUPS + 1
    [other] = [group for group in told["groups"] if group["reason"] == OTHER_REASONS]
    assert other["letters"] == 50


def test_table_shows_counts_and_no_control_character() -> None:
    out = io.StringIO()
    letter = make_letter(reason="\x1b[31m[red]Bad")

    Console(file=out, width=200).print(summed(letter, letter).table("there"))

    assert "\x1b" not in out.getvalue()
    assert "\\x1b[31m[red]Bad" in out.getvalue()
    assert "store.events.v1[2]@3" in out.getvalue()
    assert moment(NOON_MS + 5, "seconds") in out.getvalue()


def test_nothing_is_told_as_nothing() -> None:
    assert json.loads(summed().as_json()) == {"letters": 0, "groups": []}
