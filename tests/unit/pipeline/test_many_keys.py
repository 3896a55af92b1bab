"""More keys than anything may remember: only the state grows, and only by what it stores."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

import pytest

from stream.codec import encode
from stream.domain.events import StockEvent, VisitorEvent
from stream.pipeline.intake import MAX_KEY_BYTES, partition_for
from stream.topics import EVENTS, STOCK_LEVELS
from tests.unit.builders import Record, make_level, make_view
from tests.unit.pipeline.fakes import batch_of
from tests.unit.pipeline.scenes import RecommendScene, StockScene, completed

Make = Callable[[int], VisitorEvent | StockEvent]

N_CHUNKS = 50
#: Chunks until caches and pools have their size; partitions are remembered apart.
N_WARM = 10
#: Python's own memory blocks that may be added by all chunks after these; one for each
#: key would be 20,000 at least.
MAX_MORE_BLOCKS = 4_000


def view_of(key: int) -> VisitorEvent:
    return make_view(key, visitor_id=f"key-{key}", product_id=f"product-{key}")


async def more_blocks(
    scene: RecommendScene | StockScene, topic: str, make: Make, chunk: int
) -> int:
    """Return by how many blocks memory grows while chunk after chunk brings nothing but new keys.

    Not counted: what is published, the state itself, and the bounded memory of keys' partitions.
    """
    blocks = []
    for n in range(N_CHUNKS):
        await take_in(scene, topic, make, range(n * chunk, (n + 1) * chunk))
        if n in {N_WARM, N_CHUNKS - 1}:
            gc.collect()
            blocks.append(sys.getallocatedblocks())
    warm, last = blocks
    return last - warm


async def take_in(scene: RecommendScene | StockScene, topic: str, make: Make, keys: range) -> None:
    """Take a batch of one event a key in, see that nothing of it is missing, and forget it."""
    records = [Record(encode(make(key)), b"key-%d" % key, key) for key in keys]
    await completed(scene, batch_of(topic, records), within_s=600)
    state = scene.owned[0]
    assert len(state.values) == len(state.durable) == len(keys)
    assert len({record.key for record in scene.log.records}) == len(keys)
    for published in (scene.log.records, state.values, state.durable):
        published.clear()
    partition_for.cache_clear()


async def test_two_hundred_thousand_visitors_leave_nothing_but_their_sessions() -> None:
    assert await more_blocks(RecommendScene(), EVENTS.name, view_of, 4_000) < MAX_MORE_BLOCKS


@pytest.mark.slow
async def test_a_million_visitors_in_one_batch_are_answered_and_leave_nothing_either() -> None:
    """Ten times what ``max_chunk_records`` may be set to."""
    scene = RecommendScene()

    await take_in(scene, EVENTS.name, view_of, range(40_000))
    gc.collect()
    before = sys.getallocatedblocks()
    await take_in(scene, EVENTS.name, view_of, range(40_000, 1_040_000))
    gc.collect()

    assert sys.getallocatedblocks() - before < MAX_MORE_BLOCKS


async def test_twenty_five_thousand_products_leave_nothing_but_their_state() -> None:
    def count_of(key: int) -> StockEvent:
        return make_level(event_id=f"count-{key}", product_id=f"key-{key}")

    assert await more_blocks(StockScene(), STOCK_LEVELS.name, count_of, 500) < MAX_MORE_BLOCKS


async def test_partitions_are_remembered_of_a_bounded_number_of_keys() -> None:
    n_remembered = partition_for.cache_info().maxsize

    assert n_remembered is not None
    assert n_remembered * MAX_KEY_BYTES <= 128 * 1024 * 1024


async def test_metrics_have_no_label_that_a_producer_chose() -> None:
    scene = RecommendScene()

    async def n_series(first: int, value: bytes) -> int:
        records = [Record(value, b"key-%d" % i, i) for i in range(first, first + 100)]
        await completed(scene, batch_of(EVENTS.name, records))
        return sum(len(metric.samples) for metric in scene.telemetry.registry.collect())

    view = encode(make_view(0, visitor_id="eve", product_id="first"))
    before = await n_series(0, view) and await n_series(100, b'{"type":"first"}')

    await n_series(200, view.replace(b"first", b"second"))
    assert await n_series(300, b'{"type":"second"}') == before
