"""What is half recovered is not folded into; what nobody's records did is not blamed on them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from stream.agents.watchdog import Stalled
from stream.app import create_app
from stream.errors import PublishFailed, RecoveryFailed, TopicRecreated
from stream.kafka.transactions import Transactions
from stream.kafka.transport import consumer_of
from stream.settings import Settings
from stream.topics import EVENTS

_ALONE = Settings(bootstrap_servers="127.0.0.1:1", inference="none", metrics_port=0)


class Slow:
    """A transactional producer that connects when it may."""

    def __init__(self) -> None:
        self.starting, self.may_start = asyncio.Event(), asyncio.Event()
        self.aborted = False

    async def start(self) -> None:
        self.starting.set()
        await self.may_start.wait()

    def abort(self) -> None:
        self.aborted = True

    async def stop(self) -> None: ...


async def test_failed_recovery_leaves_no_state_to_fold_into() -> None:
    worker = create_app(_ALONE)
    worker.loop = asyncio.get_running_loop()
    worker.crash = nothing
    consumer_of(worker).assignment = lambda: {TP(EVENTS.name, 0)}

    await worker._on_rebalanced(worker)

    assert isinstance(worker.failure, RecoveryFailed)
    assert worker.parts.sessions.partitions == ()
    assert not worker.recovered
    consumer_of(worker)._thread.thread_loop.close()


async def test_partitions_given_back_while_their_producers_open_are_not_recovered() -> None:
    """The group has no new generation yet, and who owns them next is fenced by no late comer."""
    worker, producer = create_app(_ALONE.model_copy(update={"exactly_once": True})), Slow()
    worker.loop, worker.crash = asyncio.get_running_loop(), nothing
    transactions = Transactions(
        {EVENTS.name: worker.parts.sessions},
        lambda _: producer,  # type: ignore[arg-type, return-value]  # no TransactionalProducer
        on_failure=worker.fail,
    )
    worker.parts = replace(worker.parts, transactions=transactions)
    consumer_of(worker).assignment = lambda: {TP(EVENTS.name, 0)}

    recovering = asyncio.create_task(worker._on_rebalanced(worker))
    await producer.starting.wait()
    await worker._on_revoked(worker, revoked={TP(EVENTS.name, 0)})
    producer.may_start.set()
    await recovering

    assert worker.failure is None
    assert worker.parts.sessions.partitions == ()
    assert producer.aborted
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
