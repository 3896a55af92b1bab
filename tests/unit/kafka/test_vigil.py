"""A process that was frozen for longer than its session must not write when it wakes."""

from __future__ import annotations

import asyncio

import pytest

from stream.errors import SessionExpired
from stream.kafka.vigil import Vigil
from tests.unit.builders import Clock
from tests.unit.pipeline.fakes import settled


def test_silence_within_the_session_is_nothing(vigil: Vigil, clock: Clock) -> None:
    for _ in range(3):
        clock.now_s += 9.9
        vigil.check()
        vigil.beat()


def test_writing_is_refused_before_the_first_beat_after_a_silence(
    vigil: Vigil, clock: Clock
) -> None:
    clock.now_s += 10.1

    with pytest.raises(SessionExpired, match=r"silent for 10\.1 s of 10 s"):
        vigil.check()


def test_a_late_beat_does_not_excuse_the_silence(vigil: Vigil, clock: Clock) -> None:
    clock.now_s += 15

    with pytest.raises(SessionExpired):
        vigil.beat()
    clock.now_s += 1

    with pytest.raises(SessionExpired):
        vigil.check()


def test_nothing_is_refused_before_the_vigil_begins(clock: Clock) -> None:
    vigil = Vigil(10, clock=clock)
    clock.now_s += 60

    vigil.check()


# -- the group


@pytest.fixture(autouse=True)
def looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again as soon as others had their turn."""
    monkeypatch.setattr("stream.kafka.vigil._LOOK_S", 0)


async def test_while_the_group_answers_writing_goes_on(vigil: Vigil, clock: Clock) -> None:
    vigil.own()
    for _ in range(3):
        clock.now_s += 9
        vigil.hear(clock.now_s)
        vigil.beat()
        await vigil.certainty()


async def test_while_the_group_is_not_heard_of_writing_waits(vigil: Vigil, clock: Clock) -> None:
    vigil.own()
    sent_s = clock.now_s = clock.now_s + 3
    for _ in range(3):
        clock.now_s += 4
        vigil.beat()
    waiting = asyncio.create_task(vigil.certainty())
    await settled()
    vigil.hear(sent_s)  # answered at last; the session it began has ended since
    await settled()
    waited = not waiting.done()
    vigil.hear(clock.now_s)
    async with asyncio.timeout(5):
        await waiting

    assert waited


async def test_given_up_with_partitions_it_refuses_for_ever(vigil: Vigil, clock: Clock) -> None:
    vigil.own()
    clock.now_s += 9
    vigil.beat()
    clock.now_s += 9
    waiting = asyncio.create_task(vigil.certainty())
    await settled()
    vigil.lose()

    with pytest.raises(SessionExpired, match="given up by its group"):
        await waiting
    vigil.own()
    with pytest.raises(SessionExpired):
        vigil.check()
    async with asyncio.timeout(5):
        with pytest.raises(SessionExpired):
            await vigil.keep()


async def test_given_up_without_partitions_is_nothing(vigil: Vigil, clock: Clock) -> None:
    vigil.lose()
    vigil.own()
    vigil.let_go()
    vigil.lose()
    for _ in range(3):
        clock.now_s += 9
        vigil.beat()

    await vigil.certainty()


async def test_keeping_it_ends_with_the_silence(vigil: Vigil, clock: Clock) -> None:
    clock.now_s += 60

    async with asyncio.timeout(5):
        with pytest.raises(SessionExpired):
            await vigil.keep()
