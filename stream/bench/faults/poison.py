"""What is no event at all, of every kind that came to mind: each must become one dead letter."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from stream.bench.faults.damage import DAMAGES, damaged
from stream.bench.faults.trade import Drawn
from stream.codec import (
    UNREADABLE,
    decode_clickstream,
    decode_orders,
    decode_stock_level,
)
from stream.topics import EVENTS, ORDERS, STOCK_LEVELS

#: For ``STORESTREAM_MAX_EVENT_BYTES``: what is larger is a dead letter, so that a small one is enough.
MAX_EVENT_BYTES = 16 * 1024
_READ: dict[str, Callable[[bytes], object]] = {
    EVENTS.name: decode_clickstream.decode,
    ORDERS.name: decode_orders.decode,
    STOCK_LEVELS.name: decode_stock_level.decode,
}
_MOST_BLOWS = 3
#: An event of a topic that is not the one it lies in.
_STRAY = b'{"type":"stock_moved","event_id":"1","occurred_at_ms":1,"product_id":"1"}'


class Poison:
    """Makes bad input of good: damaged, empty, too large, or what belongs elsewhere."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._others: list[bytes] = [b"{}"]

    def spoiled(self, drawn: Drawn) -> bytes | None:
        """Return the value of a record that is no event, in place of that of *drawn*."""
        what = self._random.random()
        if what < 0.05:
            return None
        if what < 0.10:
            return drawn.value[:-1] + b',"more":"' + b"x" * MAX_EVENT_BYTES + b'"}'
        if what < 0.15:
            return _STRAY
        return self._damaged(drawn)

    def _damaged(self, drawn: Drawn) -> bytes:
        """Damage its value until nobody can read it: most single blows still leave an event."""
        self._others = [*self._others[-20:], drawn.value]
        value = drawn.value
        while _is_event(drawn.topic.name, value):
            n_blows = self._random.randrange(1, _MOST_BLOWS + 1)
            blows = [
                (self._random.choice(DAMAGES), self._random.getrandbits(32)) for _ in range(n_blows)
            ]
            value = damaged(drawn.value, blows, self._others)
        return value


def _is_event(topic: str, value: bytes) -> bool:
    try:
        _READ[topic](value)
    except UNREADABLE:
        return False
    return True
