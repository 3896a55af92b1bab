"""What aiokafka's coordinator hears of the group reaches the vigil."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator

from stream.errors import SessionExpired
from stream.kafka.membership import tell_of_membership
from stream.kafka.vigil import Vigil
from tests.unit.builders import Clock


class Coordinator:
    """As much of aiokafka's as is told of; *answers* are what the broker says to heartbeats."""

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)
        self.n_resets = 0
        self._closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def _do_heartbeat(self) -> bool:
        answer = self.answers.pop(0)
        if not answer:
            self.reset_generation()
        return answer

    def reset_generation(self) -> None:
        self.n_resets += 1


@pytest.fixture(autouse=True)
def owning(vigil: Vigil) -> None:
    vigil.own()


def test_aiokafka_has_what_is_told_of() -> None:
    assert {"_do_heartbeat", "reset_generation"} <= vars(GroupCoordinator).keys()


async def test_heartbeat_that_is_answered_begins_the_session_anew(
    vigil: Vigil, clock: Clock
) -> None:
    coordinator = Coordinator(True)
    tell_of_membership(coordinator, vigil)
    clock.now_s += 9
    vigil.beat()
    assert await coordinator._do_heartbeat()
    clock.now_s += 9
    vigil.beat()

    async with asyncio.timeout(1):
        await vigil.certainty()


async def test_group_that_knows_us_no_more_is_told(vigil: Vigil) -> None:
    coordinator = Coordinator(False)
    tell_of_membership(coordinator, vigil)

    assert not await coordinator._do_heartbeat()
    assert coordinator.n_resets == 1
    with pytest.raises(SessionExpired):
        vigil.check()


async def test_leaving_of_our_own_accord_is_no_loss(vigil: Vigil) -> None:
    coordinator = Coordinator()
    tell_of_membership(coordinator, vigil)
    coordinator._closing.set_result(None)

    coordinator.reset_generation()

    assert coordinator.n_resets == 1
    vigil.check()
