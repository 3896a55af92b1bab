from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.printable import printable, printable_lines


@pytest.mark.parametrize("text", ["", "Café, 3 € \"grün\" \\ 'x'", "milk 😀", "ケーキ"])
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\rc", r"a\nb\rc"),
        ("\x1b[2J\x00\x7f", r"\x1b[2J\x00\x7f"),
        ("\x85\u2028\u202e", r"\x85\u2028\u202e"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_is_no_plain_character_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_of_a_long_text_both_ends_are_kept_and_its_length_is_told() -> None:
    shown = printable("begin" + "x" * 1_000 + "end", 100)

    assert len(shown) == 100
    assert shown.startswith("begin")
    assert "...[1008 characters]..." in shown
    assert shown.endswith("end")


def test_lines_stay_lines_and_are_indented() -> None:
    assert printable_lines("a\n  b\x1b", 100, indent="    ") == "    a\n      b\\x1b"


@given(text=st.text(st.characters(), max_size=300), max_chars=st.integers(40, 200))
def test_whatever_is_shown_is_printable_and_bounded(text: str, max_chars: int) -> None:
    shown, lines = printable(text, max_chars), printable_lines(text, max_chars, indent=" ")

    assert shown.isprintable()
    assert len(shown) <= max_chars
    assert all(line.isprintable() for line in lines.split("\n"))
    assert len(lines) <= max_chars
