"""What is half recovered is not folded into; what nobody's records did is not blamed on them."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from stream.agents.watchdog import Stalled
from stream.app import create_app
from stream.errors import PublishFailed, RecoveryFailed, TopicRecreated
from stream.kafka.transport import consumer_of
from stream.settings import Settings
from stream.topics import EVENTS


async def test_failed_recovery_leaves_no_state_to_fold_into() -> None:
    settings = Settings(bootstrap_servers="127.0.0.1:1", inference="none", metrics_port=0)
    worker = create_app(settings)
    worker.loop = asyncio.get_running_loop()
    worker.crash = nothing
    consumer_of(worker).assignment = lambda: {TP(EVENTS.name, 0)}

    await worker._on_rebalanced(worker)

    assert isinstance(worker.failure, RecoveryFailed)
    assert worker.parts.sessions.partitions == ()
    assert not worker.recovered
    consumer_of(worker)._thread.thread_loop.close()


@pytest.mark.parametrize(
    ("error", "blamed"),
    [
        (ZeroDivisionError(), True),
        (PublishFailed("the broker is gone"), False),
        (RecoveryFailed("nor is the changelog there"), False),
        (KafkaConnectionError(), False),
        (ConnectionResetError(), False),
        (TimeoutError(), False),
        (Stalled("nothing moved"), False),
        (TopicRecreated("another topic"), False),
    ],
    ids=repr,
)
async def test_only_a_bug_is_blamed_on_the_records_in_flight(
    error: Exception, blamed: bool
) -> None:
    worker = create_app(Settings(inference="none", metrics_port=0))
    worker.loop = asyncio.get_running_loop()
    worker.crash = nothing

    worker.fail(error)

    assert worker.parts.probation.blamed is blamed
    await asyncio.gather(*worker._tasks)


async def test_what_ends_a_part_of_fausts_is_why_the_worker_does_not_live() -> None:
    """A commit that raises, or a fetch, crashes Faust's services; nobody calls ``fail``."""
    worker = create_app(Settings(inference="none", metrics_port=0))
    worker.loop = asyncio.get_running_loop()

    await consumer_of(worker).crash(KafkaConnectionError("no commit"))

    assert worker.live().reasons == ("failed: KafkaConnectionError('no commit')",)
    consumer_of(worker)._thread.thread_loop.close()


async def nothing(_error: BaseException) -> None:
    pass
