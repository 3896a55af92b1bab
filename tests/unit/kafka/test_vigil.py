"""A process that was frozen for longer than its session must not write when it wakes."""

from __future__ import annotations

import asyncio

import pytest

from stream.errors import SessionExpired
from stream.kafka.vigil import Vigil
from tests.unit.builders import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vigil(clock: Clock) -> Vigil:
    vigil = Vigil(10, clock=clock)
    vigil.beat()
    return vigil


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


async def test_keeping_it_ends_with_the_silence(vigil: Vigil, clock: Clock) -> None:
    clock.now_s += 60

    async with asyncio.timeout(5):
        with pytest.raises(SessionExpired):
            await vigil.keep()
