"""Bad input is bad, and of many kinds."""

from __future__ import annotations

import random
from typing import Any

from stream.bench.faults.poison import MAX_EVENT_BYTES, Poison
from stream.bench.faults.trade import Trade
from stream.codec import Reading, decode_clickstream, decode_orders, decode_stock_level
from stream.errors import InvalidEvent
from stream.topics import EVENTS, ORDERS, STOCK_LEVELS
from tests.unit.bench.faults.story import PRODUCTS
from tests.unit.builders import NOON_MS, Record

READ: dict[str, Reading[Any]] = {
    EVENTS.name: decode_clickstream,
    ORDERS.name: decode_orders,
    STOCK_LEVELS.name: decode_stock_level,
}


def test_no_worker_takes_it_for_an_event() -> None:
    trade, poison = Trade(PRODUCTS, random.Random(1)), Poison(random.Random(2))

    refusals = [refusal(*spoiled(trade, poison)) for _ in range(2000)]

    assert len({without_numbers(each) for each in refusals}) > 40
    assert any("null value" in each for each in refusals)
    assert any("at most 16384 bytes" in each for each in refusals)


def spoiled(trade: Trade, poison: Poison) -> tuple[str, bytes | None]:
    drawn = trade.draw(NOON_MS)
    return drawn.topic.name, poison.spoiled(drawn)


def refusal(topic: str, value: bytes | None) -> str:
    """Return why it is refused; fails where it is not."""
    try:
        READ[topic](Record(value), topic, 0, max_bytes=MAX_EVENT_BYTES)
    except InvalidEvent as error:
        return error.reason
    raise AssertionError(f"an event of {topic}: {value!r}")


def without_numbers(text: str) -> str:
    return "".join(each for each in text if not each.isdigit())
