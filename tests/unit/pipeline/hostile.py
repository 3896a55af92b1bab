"""Hostile values by name, each with what must come of it."""

from __future__ import annotations

import json
from typing import TypeAlias

from stream.codec import encode
from tests.unit.builders import NOON_MS, make_level, make_movement, make_order, make_plan, make_view

#: Of the scenes' readers.
MAX_EVENT_BYTES = 10_000
YEAR_2200_MS = 7_258_118_400_000
#: The end of the year 9999.
LAST_MS = 253_402_300_799_999
#: A value, and a part of the message that refuses it.
Cases: TypeAlias = dict[str, tuple[bytes | None, str]]
#: What comes of a record that can be read.
FOLDED = ""

VIEW = encode(make_view(1, visitor_id="eve", product_id="p1"))
ORDER = encode(make_order(1, visitor_id="eve", products=("p1", "p2")))
LEVEL = encode(make_level(event_id="hostile", product_id="eve"))
PLAN = encode(make_plan(event_id="hostile", product_id="eve"))
MOVEMENT = encode(make_movement(product_id="eve"))


def with_(value: bytes, /, **fields: object) -> bytes:
    """Return *value* with *fields* put in or replaced."""
    changed = json.loads(value) | fields
    return json.dumps(changed, ensure_ascii=False, separators=(",", ":")).encode()


def ending(value: bytes, more: bytes) -> bytes:
    """Return *value* with *more* bytes before its last brace, whatever JSON says of them."""
    return value[:-1] + b"," + more + b"}"


def sized(n_bytes: int) -> bytes:
    """Return a view of exactly so many bytes."""
    padded = ending(VIEW, b'"more":""')
    return padded.replace(b'"more":"', b'"more":"' + b"x" * (n_bytes - len(padded)))


def nested(depth: int) -> bytes:
    return ending(VIEW, b'"more":' + b"[" * depth + b"]" * depth)


TEXT = VIEW.decode()
EVENTS_CASES: Cases = {
    "as large as allowed": (sized(MAX_EVENT_BYTES), FOLDED),
    "one byte larger": (sized(MAX_EVENT_BYTES + 1), "at most 10000 bytes, got 10001 bytes"),
    "deletion marker": (None, "got a null value"),
    "nested, but not deeply": (nested(100), FOLDED),
    "nested deeply": (nested(4_000), "nested too deeply"),
    "brackets that never close": (b"[" * 9_000, "Expected `object`, got `array`"),
    "quantity of 400 digits": (ending(VIEW, b'"quantity":' + b"9" * 400), "<= 1000000"),
    "400 digits nobody asks for": (ending(VIEW, b'"more":' + b"9" * 400), FOLDED),
    "price out of range": (ending(VIEW, b'"price":1e999'), "Number out of range"),
    "price below the smallest number": (ending(VIEW, b'"price":1e-999'), FOLDED),
    "price of minus zero": (ending(VIEW, b'"price":-0.0'), FOLDED),
    "price NaN": (ending(VIEW, b'"price":NaN'), "malformed"),
    "price Infinity": (ending(VIEW, b'"price":-Infinity'), "malformed"),
    "NaN nobody asks for": (ending(VIEW, b'"more":NaN'), "malformed"),
    "negative quantity": (ending(VIEW, b'"quantity":-3'), "`int` >= 1 - at `$.quantity`"),
    "UTF-16": (TEXT.encode("utf-16"), "malformed"),
    "UTF-32": (TEXT.encode("utf-32-le"), "malformed"),
    "byte order mark": (TEXT.encode("utf-8-sig"), "malformed"),
    "Latin-1": (TEXT.replace("p1", "café").encode("latin-1"), "utf-8"),
    "overlong UTF-8": (VIEW.replace(b"p1", b"\xc0\x80"), "utf-8"),
    "surrogates as UTF-8": (VIEW.replace(b"p1", b"\xed\xa0\xbd\xed\xb8\x80"), "utf-8"),
    "half a surrogate pair": (VIEW.replace(b"p1", b"\\ud83d, or so"), "surrogate"),
    "raw control character": (VIEW.replace(b"p1", b"p\x00\x1b[2J"), "malformed"),
    "escaped control characters": (VIEW.replace(b"p1", b"\\u0000\\u001b[2J\\n"), FOLDED),
    "right-to-left override": (TEXT.replace("p1", "\u202e1p").encode(), FOLDED),
    "type with an escape sequence": (
        VIEW.replace(b"product_viewed", b"\\u001b[2J\\n"),
        "Invalid value '\\x1b[2J\\n'",
    ),
    "visitor said twice": (ending(VIEW, b'"visitor_id":"eve"'), FOLDED),
    "visitor said twice, once wrongly": (ending(VIEW, b'"visitor_id":7'), "got `int`"),
    "field said 500 times": (ending(VIEW, b",".join([b'"price":1'] * 500)), FOLDED),
    "time zero": (with_(VIEW, occurred_at_ms=0), FOLDED),
    "time before 1970": (with_(VIEW, occurred_at_ms=-1), ">= 0"),
    "year 2200": (with_(VIEW, occurred_at_ms=YEAR_2200_MS), FOLDED),
    "year 10000": (with_(VIEW, occurred_at_ms=253_402_300_800_000), "<= 253402300799999"),
    "time of 64 bits and one": (with_(VIEW, occurred_at_ms=2**64), "<= 253402300799999"),
    "unknown product": (with_(VIEW, product_id="nobody sells this"), FOLDED),
    "longest product id": (with_(VIEW, product_id="😀" * 128), FOLDED),
    "product id too long": (with_(VIEW, product_id="😀" * 129), "length <= 128"),
}
ORDERS_CASES: Cases = {
    "500 lines": (with_(ORDER, products=[{"product_id": "p"}] * 500), FOLDED),
    "501 lines": (with_(ORDER, products=[{"product_id": "p"}] * 501), "length <= 500"),
    "negative quantity in a line": (
        with_(ORDER, products=[{"product_id": "p", "quantity": -1}]),
        "`int` >= 1 - at `$.products[0].quantity`",
    ),
    "unknown products": (
        with_(ORDER, products=[{"product_id": "?"}, {"product_id": "\n"}]),
        FOLDED,
    ),
    "largest value": (
        with_(ORDER, value=1e12, products=[{"product_id": "p", "price": 1e12}]),
        FOLDED,
    ),
    "value beyond it": (with_(ORDER, value=1.1e12), "<= 1000000000000.0"),
    "negative value": (with_(ORDER, value=-0.01), ">= 0"),
    "currency with a line break": (with_(ORDER, currency="EUR\n"), "length <= 3 - at `$.currency`"),
}
LEVELS_CASES: Cases = {
    "negative shelf": (with_(LEVEL, on_hand=-1), ">= 0"),
    "fullest shelf": (with_(LEVEL, on_hand=10**9, reserved=10**9, inbound=10**9), FOLDED),
    "all sold and more": (with_(LEVEL, on_hand=0, reserved=10**9), FOLDED),
    "dearest product": (with_(LEVEL, price=1e12), FOLDED),
    "count of 1970": (with_(LEVEL, occurred_at_ms=0, as_of_ms=0), FOLDED),
    "count as of the year 2200": (with_(LEVEL, as_of_ms=YEAR_2200_MS), FOLDED),
    "lead time NaN": (ending(LEVEL, b'"lead_time_days":NaN'), "malformed"),
    "lead time of no time": (with_(LEVEL, lead_time_days=0), FOLDED),
    "price planned for all time": (with_(PLAN, begins_at_ms=0, ends_at_ms=LAST_MS), FOLDED),
    "price planned for no time": (with_(PLAN, ends_at_ms=NOON_MS), "`ends_at_ms` > `begins_at_ms`"),
    "price planned after all time": (with_(PLAN, ends_at_ms=LAST_MS + 1), "<= 253402300799999"),
    "dearest price planned": (with_(PLAN, price=1e12), FOLDED),
}
MOVEMENTS_CASES: Cases = {
    "most units": (with_(MOVEMENT, units=-1_000_000), FOLDED),
    "more units": (with_(MOVEMENT, units=-1_000_001), ">= -1000000"),
    "500 bought with it": (with_(MOVEMENT, bought_with=[f"p{i}" for i in range(500)]), FOLDED),
    "501 bought with it": (with_(MOVEMENT, bought_with=["p"] * 501), "length <= 500"),
    "origin of too few numbers": (with_(MOVEMENT, origin=[0, 0]), "`$.origin`"),
    "origin in a partition of no topic": (with_(MOVEMENT, origin=[4096, 0, 0, 0]), "<= 4095"),
    "origin in a line of no order": (with_(MOVEMENT, origin=[0, 0, 0, 500]), "<= 499"),
    "sold in 1970": (with_(MOVEMENT, occurred_at_ms=0), FOLDED),
    "sold in the year 2200": (with_(MOVEMENT, occurred_at_ms=YEAR_2200_MS), FOLDED),
}
