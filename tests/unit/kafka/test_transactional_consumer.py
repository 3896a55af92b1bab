"""What is committed together, and what must not be part of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.kafka.fakes import TP0
from tests.unit.kafka.transacting import Scene, settled


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    scene = Scene(tmp_path)
    await scene.assign()
    yield scene
    scene.consumer._thread.thread_loop.close()


async def test_last_completion_commits_effects_state_and_offset_together(scene: Scene) -> None:
    batch = await scene.begin()
    scene.effect(b"answer")
    scene.state.put(b"visitor", 1)
    await settled()
    before = list(scene.broker.committed)

    batch.complete()
    await settled()

    assert before == []
    assert scene.broker.committed == [([b"answer", b"1"], 10)]
    assert scene.consumer.committed_offsets() == {TP0: 10}


async def test_unit_is_not_fetched_until_it_is_committed(scene: Scene) -> None:
    batch = await scene.begin()
    while_open = await scene.read()
    scene.broker.may_commit.clear()
    batch.complete()
    await settled()
    while_committing = await scene.read()
    scene.broker.may_commit.set()
    await settled()

    [after] = await scene.read()

    assert (while_open, while_committing) == ([], [])
    assert after.first_offset == 10


async def test_what_comes_while_a_transaction_is_under_way_is_part_of_the_next(
    scene: Scene,
) -> None:
    batch = await scene.begin()
    scene.effect(b"first")
    scene.broker.may_commit.clear()
    batch.complete()
    await settled()
    scene.effect(b"by the clock")
    scene.broker.may_commit.set()
    await settled()

    await scene.consumer.force_commit()

    assert scene.broker.committed == [([b"first"], 10), ([b"by the clock"], None)]


async def test_nothing_is_committed_while_a_batch_is_half_done(scene: Scene) -> None:
    batch = await scene.begin()
    scene.effect(b"half of it")

    early = await scene.consumer.force_commit()
    batch.complete()
    await settled()

    assert early is False
    assert scene.broker.committed == [([b"half of it"], 10)]


async def test_batch_that_no_agent_took_holds_no_commit_back(scene: Scene) -> None:
    scene.effect(b"by the clock")
    await scene.read()

    await scene.consumer.force_commit()

    assert scene.broker.committed == [([b"by the clock"], None)]


async def test_refused_transaction_ends_the_worker(scene: Scene) -> None:
    scene.broker.refuses = True
    batch = await scene.begin()

    batch.complete()
    await settled()

    assert [str(error) for error in scene.failures] == ["fenced"]
    assert scene.consumer.committed_offsets() == {}


async def test_transaction_overtaken_by_a_rebalance_ends_nothing(scene: Scene) -> None:
    batch = await scene.begin()
    scene.broker.may_commit.clear()
    batch.complete()
    await settled()
    scene.transactions.disown()
    scene.broker.refuses = True
    scene.broker.may_commit.set()
    await settled()

    assert scene.failures == []
    assert scene.consumer.committed_offsets() == {}


async def test_seek_commits_what_is_done_before_it_reads_anything_again(scene: Scene) -> None:
    batch = await scene.begin()
    scene.effect(b"answer")
    seeking = asyncio.create_task(scene.consumer.perform_seek())
    await settled()
    batch.complete()
    await seeking

    assert scene.broker.committed == [([b"answer"], 10)]
    assert scene.failures == []


async def test_seek_over_a_batch_that_stays_half_done_ends_the_worker(scene: Scene) -> None:
    await scene.begin()

    await scene.consumer.perform_seek()

    assert "half done" in str(scene.failures[0])


async def test_batch_that_waited_for_its_agent_during_a_seek_is_not_begun(scene: Scene) -> None:
    """It is read again: begun as well, it would be answered twice."""
    [waiting] = await scene.read()
    seeking = asyncio.create_task(scene.consumer.perform_seek())
    await asyncio.sleep(0)
    during = scene.consumer.tracker.begin(waiting)
    await seeking
    afterwards = scene.consumer.tracker.begin(waiting)
    [again] = await scene.read()

    assert (during, afterwards) == (False, False)
    assert scene.consumer.tracker.begin(again)
    assert scene.failures == []


async def test_what_a_drain_did_not_wait_for_is_committed_by_no_seek(scene: Scene) -> None:
    """One that was under way gives the tracker its partitions back, before the state is dropped."""
    await scene.begin()
    await scene.consumer.wait_empty()
    scene.effect(b"too late")
    scene.consumer.tracker.restart([TP0])

    await scene.consumer.force_commit()

    assert scene.broker.committed == []
