from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.dead_letters.showing import described, text_of
from stream.letters import Letter
from stream.moments import moment
from stream.printable import escaped
from tests.unit.builders import NOON_MS
from tests.unit.dead_letters.letters import make_letter

HOSTILE = "\x1b]0;owned\x07\r\x08\x9b31m\u202e\u200b\ufeff\x00\n\x85"


def shown(letter: Letter, *, n_replayed: int | None = None, max_chars: int = 4_000) -> str:
    return "\n".join(described(letter, n_replayed=n_replayed, max_chars=max_chars))


def test_all_of_a_letter_is_shown() -> None:
    letter = make_letter(b'{"type":1}', headers=[("trace", b"x1"), ("dl-replays", b"2")])

    told = shown(letter, n_replayed=3)

    assert told.splitlines() == [
        "store.events.v1.dead-letter[2]@8",
        "  source     store.events.v1[2]@3",
        "  reason     InvalidEvent",
        "  error      store.events.v1[2]@3: malformed",
        f"  set aside  {moment(NOON_MS + 5)}",
        f"  appended   {moment(NOON_MS)}",
        "  replays    2 before it was set aside; sent again since, as number 3",
        "  cut        nothing",
        "  key        ann",
        "  headers    1",
        "    trace: x1",
        "  value      10 bytes",
        "    {",
        '      "type": 1',
        "    }",
    ]


def test_json_is_shown_as_it_is_with_repeated_fields_and_odd_numbers() -> None:
    told = shown(make_letter(b'{"a":1e999,"a":"\\u001b"}'))

    assert '      "a": 1e999,\n      "a": "\\u001b"' in told


@pytest.mark.parametrize(
    "value",
    [
        HOSTILE.encode(),
        json.dumps({HOSTILE: HOSTILE}, ensure_ascii=False).encode(),
        b"\xff\x9b" * 9,
    ],
)
def test_hostile_bytes_reach_no_terminal(value: bytes) -> None:
    letter = make_letter(
        value,
        key=HOSTILE.encode(),
        headers=[(HOSTILE, HOSTILE.encode())],
        error=HOSTILE,
        reason=HOSTILE,
    )

    told = shown(letter)

    assert all(line.isprintable() for line in told.split("\n"))


@given(text=st.text())
def test_whatever_is_escaped_is_printable(text: str) -> None:
    assert escaped(text).isprintable()


@given(content=st.binary())
def test_any_bytes_are_text_that_can_be_escaped(content: bytes) -> None:
    assert escaped(text_of(content)).isprintable()


def test_text_that_a_terminal_may_have_stays_as_it_is() -> None:
    assert escaped('mælk "日本" \\ 🫖') == 'mælk "日本" \\ 🫖'


@pytest.mark.parametrize(
    "value",
    [b"x" * 200_000, b"[" * 500 + b"1,1" * 40_000 + b"]" * 500, b"[" * 100_000, b"\x00" * 200_000],
)
def test_what_is_shown_is_bounded(value: bytes) -> None:
    letter = make_letter(
        value, headers=[("h" * 500, b"x" * 2_000)] * 400, error="e" * 9_000, max_bytes=300_000
    )

    tracemalloc.start()
    told = shown(letter, max_chars=1_000)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert "more characters" in told
    assert len(told) < 20_000
    assert peak_bytes < 10 * 1024 * 1024


def test_of_many_headers_the_first_are_shown_and_the_rest_counted() -> None:
    told = shown(make_letter(headers=[(f"h{n}", b"x") for n in range(400)]))

    assert "    h99: x\n    … 300 more\n" in told


def test_null_value_and_key_are_told_from_empty_ones() -> None:
    assert "  value      null" in shown(make_letter(None, key=None))
    assert "  key        null" in shown(make_letter(None, key=None))
    assert "  value      0 bytes" in shown(make_letter(b""))


def test_what_was_cut_is_said() -> None:
    told = shown(make_letter(b"v" * 5_000, max_bytes=3_000))

    assert "  cut        value from 5000 bytes" in told
