"""Damage that keeps the structure of an event, and a corpus with one value for each outcome.

``tests/corpus/<topic>/<outcome>.value`` holds values that this damage came upon, the smallest known
for each outcome: an event of some type, or the kind of message that refuses it. Look for more by
``python -m tests.harness.fuzzing 100000``; what is new is written beside the others.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from random import Random
from typing import Any

from stream.bench.faults.damage import DAMAGES, damaged
from stream.codec import (
    UNREADABLE,
    Reading,
    decode_clickstream,
    decode_movement,
    decode_orders,
    decode_stock_level,
)
from stream.errors import InvalidEvent
from stream.topics import EVENTS, ORDERS, STOCK_LEVELS, STOCK_MOVEMENTS
from tests.unit.builders import Record

CORPUS = Path(__file__).parents[1] / "corpus"
READINGS: dict[str, Reading[Any]] = {
    EVENTS.name: decode_clickstream,
    ORDERS.name: decode_orders,
    STOCK_LEVELS.name: decode_stock_level,
    STOCK_MOVEMENTS.name: decode_movement,
}
#: Damages to a value at most.
N_BLOWS = 5


def corpus(topic: str) -> dict[str, bytes]:
    """Return the values kept for *topic* by the outcome that each stands for."""
    return {path.stem: path.read_bytes() for path in sorted((CORPUS / topic).glob("*.value"))}


def outcome_of(topic: str, value: bytes) -> str:
    """Return what reading *value* comes to, in words that make a file's name."""
    reading = READINGS[topic]
    try:
        event = reading.decode(value)
    except UNREADABLE as error:
        refusal = reading.refusal(Record(value), topic, 0, error=error)
        return "refused-" + _kind_of(refusal)
    return "read-" + _slug(re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(event).__name__))


def _kind_of(refusal: InvalidEvent) -> str:
    """Return the message without what differs from value to value: places, quotations, numbers."""
    message = refusal.reason.replace("'utf-8' codec can't", "cannot")
    message = re.sub(r" - at `.*", "", message, flags=re.DOTALL)
    message = re.sub(r"'.*'", "", message, flags=re.DOTALL)
    return _slug(re.sub(r"\(byte \d+\)|position \S+|0x[0-9a-f]{2}", "", message))


def _slug(text: str) -> str:
    text = text.replace("<=", "at most").replace(">=", "at least")
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def grow(n_examples: int, chance: Random) -> None:
    """Damage what is known *n_examples* times for each topic; keep new outcomes, the smallest of each.

    Events that can be read stay as they are: there is the more to damage in them.
    """
    for topic in READINGS:
        known = corpus(topic)
        for _ in range(n_examples):
            values = [*known.values()]
            blows = [(chance.choice(DAMAGES), chance.getrandbits(32)) for _ in range(N_BLOWS)]
            value = damaged(chance.choice(values), blows[chance.randrange(N_BLOWS) :], values)
            outcome = outcome_of(topic, value)
            is_smaller = outcome.startswith("refused") and len(value) < len(known.get(outcome, b""))
            if outcome not in known or is_smaller:
                known[outcome] = value
                (CORPUS / topic / f"{outcome}.value").write_bytes(value)


if __name__ == "__main__":
    grow(int(sys.argv[1]), Random(sys.argv[1]))
