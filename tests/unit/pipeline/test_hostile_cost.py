"""What a hostile record costs: no more than a benign one of its size, and nothing later."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from stream.codec import decode_orders, encode
from stream.domain.calendar import DAY_MS
from stream.domain.events import MAX_PARTITIONS, Item
from stream.pipeline.intake import MAX_KEY_BYTES, Limits, Reader, partition_for
from stream.telemetry import Telemetry
from stream.topics import EVENTS, ORDERS, STOCK_MOVEMENTS, dead_letter_name
from tests.unit.builders import NOON_MS, Record, make_order
from tests.unit.pipeline.fakes import batch_of, settled
from tests.unit.pipeline.hostile import MAX_EVENT_BYTES, MOVEMENT, ORDER, VIEW, ending, with_
from tests.unit.pipeline.scenes import N_PARTITIONS, RecommendScene, StockScene, completed

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


N_FOLDED_BYTES = 128 * 1024
IDS = [f"p{i}" for i in range(400)]


def order_with(products: list[str]) -> bytes:
    return with_(ORDER, products=[{"product_id": product_id} for product_id in products])


SLOW_TO_FOLD: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "as many lines as fit": (ORDERS.name, lambda n: with_(order_with(IDS), order_id=f"{n}")),
    "one product in every line": (
        ORDERS.name,
        lambda n: with_(order_with(["p"] * 400), order_id=f"{n}"),
    ),
    "a visitor's events backwards": (
        EVENTS.name,
        lambda n: with_(VIEW, event_id=f"{n}", occurred_at_ms=NOON_MS - n),
    ),
    "origins in every partition": (
        STOCK_MOVEMENTS.name,
        lambda n: with_(MOVEMENT, origin=[n % MAX_PARTITIONS, 0, n, 0]),
    ),
    "another 400 bought with it": (
        STOCK_MOVEMENTS.name,
        lambda n: with_(MOVEMENT, origin=[0, 0, n, 0], bought_with=[f"{n}{id_}" for id_ in IDS]),
    ),
    "every sale on an earlier day": (
        STOCK_MOVEMENTS.name,
        lambda n: with_(MOVEMENT, origin=[0, 0, n, 0], occurred_at_ms=NOON_MS - n * DAY_MS),
    ),
}
BENIGN: dict[str, Callable[[int], bytes]] = {
    EVENTS.name: lambda n: with_(VIEW, event_id=f"{n}", visitor_id=f"v{n}"),
    ORDERS.name: lambda n: with_(ORDER, event_id=f"{n}", order_id=f"{n}", visitor_id=f"v{n}"),
    STOCK_MOVEMENTS.name: lambda n: with_(MOVEMENT, product_id=f"p{n}"),
}


async def seconds_to_fold(topic: str, make: Callable[[int], bytes]) -> float:
    """Return processor seconds to take in a chunk of what is made: the least of three tries."""
    records, n_bytes = list[Record](), 0
    while n_bytes < N_FOLDED_BYTES:
        records.append(Record(make(len(records)), b"eve", len(records)))
        n_bytes += len(records[-1].value or b"")
    tries = []
    for _ in range(3):
        partition_for.cache_clear()
        scene = StockScene() if topic == STOCK_MOVEMENTS.name else RecommendScene()
        started = time.process_time()
        scene.pipeline.accept(batch_of(topic, records))
        tries.append(time.process_time() - started)
        await settled()
        assert scene.log.of(dead_letter_name(topic)) == []
    return min(tries)


@pytest.mark.parametrize(("topic", "make"), SLOW_TO_FOLD.values(), ids=SLOW_TO_FOLD)
async def test_hostile_chunk_is_folded_about_as_soon_as_a_benign_one_of_its_size(
    topic: str, make: Callable[[int], bytes]
) -> None:
    benign = await seconds_to_fold(topic, BENIGN[topic])

    assert await seconds_to_fold(topic, make) <= MAX_RATIO * benign
