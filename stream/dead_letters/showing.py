"""One dead letter written out for a terminal: all of it, escaped, and of bounded length."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from stream.letters import Letter
from stream.moments import moment
from stream.printable import escaped

#: A longer value is shown as it is: pretty-printing what is deeply nested multiplies its size.
_MAX_PRETTY_BYTES = 16 * 1024
_MAX_FIELD_CHARS = 1_000
_MAX_HEADERS = 100
_INDENT = "    "


def described(letter: Letter, *, n_replayed: int | None, max_chars: int) -> Iterator[str]:
    """Yield *letter* line by line, printable characters only.

    Args:
        n_replayed: With which count it was sent again; None: it was not.
        max_chars: Of the value, before what is escaped in it takes its place.
    """
    yield f"{letter.at}"
    source = letter.source
    story = {
        "source": "unknown" if source is None else str(source.place),
        "reason": letter.reason,
        "error": text_of(letter.story.get("dl-error")),
        "set aside": moment(letter.at_ms),
        "appended": "unknown" if source is None else moment(source.at_ms),
        "replays": _replays(letter, n_replayed),
        "cut": ", ".join(_cuts(letter)) or "nothing",
        "key": text_of(letter.key),
    }
    for name, told in story.items():
        yield f"  {name:<10} {escaped(shortened(told, _MAX_FIELD_CHARS))}"
    yield f"  {'headers':<10} {len(letter.headers)}"
    for name, content in letter.headers[:_MAX_HEADERS]:
        shown = shortened(f"{name}: {text_of(content)}", _MAX_FIELD_CHARS)
        yield f"{_INDENT}{escaped(shown)}"
    if len(letter.headers) > _MAX_HEADERS:
        yield f"{_INDENT}… {len(letter.headers) - _MAX_HEADERS} more"
    yield f"  {'value':<10} {'null' if letter.value is None else f'{len(letter.value)} bytes'}"
    for line in _lines(letter.value or b"", max_chars):
        yield f"{_INDENT}{escaped(line)}"


def text_of(content: bytes | None) -> str:
    r"""Return *content* as text, ``\xff`` for bytes that are not UTF-8."""
    return "null" if content is None else content.decode("utf-8", "backslashreplace")


def shortened(text: str, max_chars: int) -> str:
    """Return the first *max_chars* of *text*, and how many more there are."""
    more = len(text) - max_chars
    return text if more <= 0 else f"{text[:max_chars]}… {more} more characters"


def _lines(value: bytes, max_chars: int) -> list[str]:
    """Return JSON indented and otherwise as it is, repeated fields included; anything else raw."""
    if not value:
        return []
    if len(value) <= _MAX_PRETTY_BYTES:
        try:
            pretty = msgspec.json.format(value, indent=2)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return [shortened(text_of(value), max_chars)]
        return shortened(text_of(pretty), max_chars).split("\n")
    return [shortened(text_of(value), max_chars)]


def _replays(letter: Letter, n_replayed: int | None) -> str:
    so_far = f"{letter.n_replays} before it was set aside"
    return so_far if n_replayed is None else f"{so_far}; sent again since, as number {n_replayed}"


def _cuts(letter: Letter) -> Iterator[str]:
    for name, what in (
        ("dl-cut-from-bytes", "value from {} bytes"),
        ("dl-key-cut-from-bytes", "key from {} bytes"),
        ("dl-headers-cut-from", "headers from {}"),
    ):
        if name in letter.story:
            yield what.format(text_of(letter.story[name]))
