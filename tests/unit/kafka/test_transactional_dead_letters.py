"""A dead letter of what is set aside is committed with its offset, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stream.kafka.notes import FORM, Note, SetAside, dump, set_aside_key
from stream.kafka.probation import Probation
from stream.kafka.records import InRecord
from stream.kafka.store import StateStore
from tests.unit.kafka.transacting import Scene, settled


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    scene = Scene(tmp_path)
    await scene.assign()
    yield scene
    scene.consumer._thread.thread_loop.close()


async def test_dead_letter_of_what_is_set_aside_waits_for_its_offset(scene: Scene) -> None:
    """It is made before its record is opened, and a commit may come in between."""
    notes: StateStore[Note] = StateStore("attempts", scene.broker, FORM)
    notes.open(0).restore(set_aside_key("events", 0), dump(SetAside(0, "Skipped")))
    may_go_on = asyncio.Event()

    async def dispose(topic: str, partition: int, record: InRecord, *, verdict: SetAside) -> None:
        scene.effect(b"letter")
        await may_go_on.wait()

    scene.consumer.app.probation = Probation(
        notes, quarantine_after=3, max_in_flight=64, dispose=dispose
    )
    await scene.consumer.perform_seek()
    reading = asyncio.create_task(scene.read())
    await settled()
    early = await scene.consumer.force_commit()
    may_go_on.set()
    [rest] = await reading
    rest.complete()
    await settled()

    assert early is False
    assert scene.broker.committed == [([b"letter"], 10)]


async def test_dead_letter_behind_a_batch_that_no_agent_took_waits_for_it(scene: Scene) -> None:
    """Its offset cannot be committed before theirs: the letter alone would be written again."""
    await scene.set_aside(5)
    batches = await scene.read()
    early = await scene.consumer.force_commit()
    for batch in batches:
        scene.consumer.tracker.begin(batch)
        batch.complete()
    await settled()

    assert early is False
    assert scene.broker.committed == [([b"letter"], 10)]


async def test_seek_over_a_dead_letter_that_cannot_be_committed_ends_the_worker(
    scene: Scene,
) -> None:
    await scene.set_aside(5)
    await scene.read()

    await scene.consumer.perform_seek()

    assert "half done" in str(scene.failures[0])
    assert scene.broker.committed == []


async def test_flow_that_stops_before_a_dead_letter_is_made_makes_none(scene: Scene) -> None:
    """The fetch is dropped and read again, and the letter would be there without its offset."""
    await scene.set_aside(0)
    scene.broker.may_publish.clear()
    reading = asyncio.create_task(scene.read())
    await settled()
    scene.consumer.stop_flow()
    scene.broker.may_publish.set()
    await reading
    await scene.consumer.force_commit()

    assert scene.broker.committed == []
