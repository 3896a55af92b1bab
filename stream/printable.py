"""Text from outside as it may be shown: one line, no control characters, never long.

A name or a message that a producer chose can hold a line break, which forges a log line, or an
escape sequence, which a terminal obeys.
"""

from __future__ import annotations

#: What of one text is worth showing.
MAX_CHARS = 1024


def printable(text: str, max_chars: int = MAX_CHARS) -> str:
    """Return *text* with what is no plain character escaped as Python writes it.

    Returns:
        At most *max_chars*; of a longer text the beginning and the end, and how many are missing.
    """
    text = _cut(text, max_chars)
    return _cut(escaped(text), max_chars)


def escaped(text: str) -> str:
    r"""Return *text* with ``\x1b`` for an escape and the like: nothing that a terminal would obey.

    Control and format characters go, so text cannot move the cursor, hide, or turn its direction.
    """
    if text.isprintable():
        return text
    return "".join([char if char.isprintable() else _as_escape(char) for char in text])


def printable_lines(text: str, max_chars: int, *, indent: str = "") -> str:
    """Return :func:`printable` lines of a *text* that has some of its own, like a traceback.

    With an *indent* none of them looks like the beginning of an entry of the log.
    """
    lines = _cut(text, max_chars).split("\n")
    return _cut("\n".join([indent + printable(line, max_chars) for line in lines]), max_chars)


def _as_escape(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def _cut(text: str, max_chars: int) -> str:
    if len(text) <= max_chars:
        return text
    note = f"...[{len(text)} characters]..."
    n_kept = max(0, max_chars - len(note))
    head = n_kept - n_kept // 2
    return text[:head] + note + text[len(text) - n_kept // 2 :]
