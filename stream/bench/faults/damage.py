"""Damage that keeps the structure of an event: what a producer's bug, or an attacker, would send."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

#: Damaged values are cut to this.
MAX_BYTES = 12_000

_TEXT = rb'"(?:[^"\\]|\\.)*"'
_VALUE = re.compile(rb"(?<=[:,\[])(?:" + _TEXT + rb"(?!:)|-?[0-9][0-9.eE+-]*|true|false|null)")
_NUMBER = re.compile(rb"(?<=[:,\[])-?[0-9][0-9.eE+-]*")
_NAME = re.compile(_TEXT + rb"(?=:)")
_PAIR = re.compile(_TEXT + rb":(?:" + _TEXT + rb"|[0-9.]+|true|false|null)")
_NUMBERS = (
    *b"-1 0 -0 1.0 0.5 1e3 1e999 -1e999 5e-324 1000001 9007199254740993 9223372036854775808".split(),
    *b"18446744073709551616 NaN Infinity -Infinity 007 0x1f 7258118400000 253402300800000".split(),
    b"9" * 500,
    b"0." + b"0" * 500 + b"1",
)
_INSERTED = (
    b"\x00 \x1b[2J \\u0000 \\u001b[31m \\ud800 \\udc00\\ud800 \\q \xff \xc0\x80 \xed\xa0\x80 "
    b"\xf4\x90\x80\x80 \xe2\x80\xae \xf0\x9f\x98\x80 \\n \\u202e \x7f \xc2\x85"
).split(b" ")
_ENCODINGS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "utf-7", "cp500", "cp1252")

Damage = Callable[[bytes, Random, Sequence[bytes]], bytes]


def _replaced(value: bytes, found: re.Pattern[bytes], chance: Random, new: bytes) -> bytes:
    """Put *new* in place of one that is *found*, in which ``%s`` stands for it."""
    places = [match.span() for match in found.finditer(value)]
    if not places:
        return value
    start, end = chance.choice(places)
    return value[:start] + new.replace(b"%s", value[start:end]) + value[end:]


def _flip(value: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    place = chance.randrange(len(value) or 1)
    flipped = bytes([byte ^ 1 << chance.randrange(8) for byte in value[place : place + 1]])
    return value[:place] + flipped + value[place + 1 :]


def _truncate(value: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    return value[: chance.randrange(len(value) + 1)]


def _splice(value: bytes, chance: Random, others: Sequence[bytes]) -> bytes:
    other = chance.choice(others)
    return value[: chance.randrange(len(value) + 1)] + other[chance.randrange(len(other) + 1) :]


def _graft(value: bytes, chance: Random, others: Sequence[bytes]) -> bytes:
    """Put a value, or all, of another event where this one has a value."""
    other = chance.choice(others)
    branches = [*_VALUE.findall(other), other, b"{}", b"[]", b'""']
    return _replaced(value, _VALUE, chance, chance.choice(branches))


def _nest(value: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    depth = chance.choice((1, 2, 30, 900, 3_000))
    opening, closing = chance.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return _replaced(value, _VALUE, chance, opening * depth + b"%s" + closing * depth)


def _blow_up(value: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    return _replaced(value, _NUMBER, chance, chance.choice(_NUMBERS))


def _double(value: bytes, chance: Random, others: Sequence[bytes]) -> bytes:
    """Say a field twice, the second time perhaps with another event's value."""
    pairs = _PAIR.findall(chance.choice((value, chance.choice(others))))
    return _replaced(value, _PAIR, chance, b"%s," + chance.choice(pairs)) if pairs else value


def _rename(value: bytes, chance: Random, others: Sequence[bytes]) -> bytes:
    names = _NAME.findall(chance.choice(others)) or [b'"more"']
    return _replaced(value, _NAME, chance, chance.choice(names))


def _insert(value: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    place = chance.choice([match.end() - 1 for match in re.finditer(_TEXT, value)] or [0])
    return value[:place] + chance.choice(_INSERTED) + value[place:]


def _stretch(value: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    place = chance.choice([match.end() - 1 for match in re.finditer(_TEXT, value)] or [0])
    stretched = chance.choice((b"x", "é".encode(), b"\\n")) * chance.choice((120, 520, 5_000))
    return value[:place] + stretched + value[place:]


def _recode(value: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    return value.decode("utf-8", "replace").encode(chance.choice(_ENCODINGS), "replace")


DAMAGES: tuple[Damage, ...] = (
    _flip,
    _truncate,
    _splice,
    _graft,
    _nest,
    _blow_up,
    _double,
    _rename,
    _insert,
    _stretch,
    _recode,
)


def damaged(value: bytes, blows: Sequence[tuple[Damage, int]], others: Sequence[bytes]) -> bytes:
    """Return *value* after *blows*, each with the seed of its choices."""
    for damage, seed in blows:
        value = damage(value, Random(seed), others)[:MAX_BYTES]  # noqa: S311 - repeatable
    return value
