"""What a transaction that failed took along is passed over by none that comes after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.kafka.transacting import Scene, settled


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    scene = Scene(tmp_path)
    await scene.assign()
    yield scene
    scene.consumer._thread.thread_loop.close()


async def test_what_a_cancelled_commit_took_is_not_passed_over_by_the_next(scene: Scene) -> None:
    """A rebalance waits for its last commit only so long; Faust's timer may come once more."""
    batch = await scene.begin()
    scene.effect(b"answer")
    scene.broker.may_commit.clear()
    scene.consumer.tracker.complete(batch)
    last = asyncio.create_task(scene.consumer.force_commit())
    await settled()
    last.cancel()
    await settled()
    scene.broker.may_commit.set()

    await scene.consumer.force_commit()

    assert scene.broker.committed == []
    assert scene.failures == []


async def test_state_that_cannot_be_written_is_not_passed_over_by_the_last_commit(
    scene: Scene,
) -> None:
    """The bug ends the worker, and a worker that ends commits once more."""
    batch = await scene.begin()
    scene.effect(b"answer")
    scene.state.put(b"visitor", "no number")  # type: ignore[arg-type]  # that is the bug
    batch.complete()
    await settled()

    await scene.consumer.force_commit()

    assert isinstance(scene.failures[0], TypeError)
    assert scene.broker.committed == []


async def test_commit_that_hangs_does_not_outlast_the_assignment(scene: Scene) -> None:
    """Its producer is closed: nobody would answer it, and the next owner here waits for its turn."""
    batch = await scene.begin()
    scene.broker.may_commit.clear()
    scene.consumer.tracker.complete(batch)
    hanging = asyncio.create_task(scene.consumer.force_commit())
    await settled()

    scene.transactions.disown()
    await settled()

    assert hanging.done()
    assert hanging.result() is False
    assert scene.failures == []
