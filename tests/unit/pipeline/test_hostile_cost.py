"""What a hostile record costs: no more than a benign one of its size, and nothing later."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from stream.codec import decode_orders, encode
from stream.domain.events import Item
from stream.pipeline.intake import MAX_KEY_BYTES, Limits, Reader, partition_for
from stream.telemetry import Telemetry
from stream.topics import EVENTS, ORDERS
from tests.unit.builders import Record, make_order
from tests.unit.pipeline.fakes import batch_of
from tests.unit.pipeline.hostile import MAX_EVENT_BYTES, ORDER, VIEW, ending
from tests.unit.pipeline.scenes import N_PARTITIONS, RecommendScene, completed

TOLERANCE_MS = 60_000


# --- Keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, b"", b"\xff\xfe", b"\x1b[2J", b"k" * 1_000_000])
async def test_visitor_under_a_hostile_key_is_answered(key: bytes | None) -> None:
    scene = RecommendScene()

    await completed(scene, batch_of(EVENTS.name, [Record(VIEW, key)]))

    assert [answer.visitor_id for answer in scene.answers()] == ["eve"]
    labels = {"topic": EVENTS.name, "kind": "key"}
    assert scene.telemetry.registry.get_sample_value("stream_misplaced_records_total", labels) == 1


async def test_key_longer_than_any_id_is_neither_hashed_nor_kept() -> None:
    partition_for.cache_clear()
    scene = RecommendScene()
    longest, longer = b"k" * MAX_KEY_BYTES, b"k" * (MAX_KEY_BYTES + 1)

    await completed(
        scene, batch_of(EVENTS.name, [Record(VIEW, longest, 0), Record(VIEW, longer, 1)])
    )

    n_hits = partition_for.cache_info().hits
    partition_for(longer, N_PARTITIONS)
    assert partition_for.cache_info().hits == n_hits
    partition_for(longest, N_PARTITIONS)
    assert partition_for.cache_info().hits == n_hits + 1


# --- Time ---------------------------------------------------------------------------------------

N_TIMED_BYTES = 256 * 1024
#: Costlier than a benign record of the same size at most; a generous bound, on processor time.
MAX_RATIO = 40


def order_of(n_bytes: int) -> bytes:
    """Return a benign order of about so many bytes: 500 lines and a note."""
    order = encode(make_order(products=[Item(f"product-{i}", name="n" * 40) for i in range(500)]))
    return ending(order, b'"note":"' + b"n" * max(0, n_bytes - len(order)) + b'"')


def filled(unit: bytes, *, before: bytes = ORDER[:-1] + b",", after: bytes = b"}") -> bytes:
    """Return *unit* again and again between *before* and *after*, as large as the benign order."""
    n_units = (N_TIMED_BYTES - len(before) - len(after)) // len(unit)
    return before + unit * n_units + after


SLOW_TO_READ: dict[str, Callable[[], Record]] = {
    "nothing but brackets": lambda: Record(b"[" * N_TIMED_BYTES),
    "brackets in a field": lambda: Record(filled(b"[", before=ORDER[:-1] + b',"more":')),
    "one number": lambda: Record(filled(b"9", before=ORDER[:-1] + b',"value":')),
    "one fraction": lambda: Record(filled(b"0", before=ORDER[:-1] + b',"value":0.', after=b"1}")),
    "one escaped text": lambda: Record(filled(b"\\u001b", before=b'{"type":"', after=b'"}')),
    "one known field": lambda: Record(filled(b'"value":1,', after=b'"value":1}')),
    "lines said again": lambda: Record(
        filled(b'"products":[{"product_id":"p"}],', after=b'"value":1}')
    ),
    "a type at the end": lambda: Record(
        filled(b'"more":{},', before=b"{", after=b'"type":"order_completed"}')
    ),
    "too many lines": lambda: Record(
        filled(b'{"product_id":"p"},', before=ORDER[:-1] + b',"products":[', after=b"{}]}")
    ),
    "a key": lambda: Record(ORDER, b"k" * N_TIMED_BYTES),
    "headers": lambda: Record(b"{", headers=[("name", b"x" * 28)] * (N_TIMED_BYTES // 32)),
}


def seconds_for(record: Record, batch_records: int = 4) -> float:
    """Return processor seconds to take *record* in: the least of five tries."""
    limits = Limits(2 * N_TIMED_BYTES, MAX_EVENT_BYTES, TOLERANCE_MS, n_partitions=4)
    batch = batch_of(ORDERS.name, [record] * batch_records)
    tries = []
    for _ in range(5):
        partition_for.cache_clear()
        started = time.process_time()
        Reader(Telemetry(), limits).take_in(batch, decode_orders)
        tries.append(time.process_time() - started)
    return min(tries)


@pytest.mark.parametrize("make", SLOW_TO_READ.values(), ids=SLOW_TO_READ)
def test_hostile_record_takes_about_as_long_as_a_benign_one_of_its_size(
    make: Callable[[], Record],
) -> None:
    benign = seconds_for(Record(order_of(N_TIMED_BYTES)))

    assert seconds_for(make()) <= MAX_RATIO * benign
