"""A worker is ready with an assignment, its state, the shelf, and models that answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

import pytest
from faust.types import TP

from stream.agents import worker as worker_module
from stream.agents.worker import WorkerApp
from stream.app import create_app
from stream.kafka.transport import consumer_of
from stream.settings import Settings

TP0 = TP("store.events.v1", 0)


@dataclass
class Shelf:
    ready: bool = False


@dataclass
class Models:
    reason: str = "the models are not served yet"

    def missing(self) -> Iterator[str]:
        yield from filter(None, [self.reason])


@pytest.fixture
async def worker(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WorkerApp]:
    async def recovered(*_: object, **__: object) -> None:
        return

    monkeypatch.setattr(worker_module, "recover_all", recovered)
    app = create_app(Settings(inference="none", metrics_port=0))
    app.loop = asyncio.get_running_loop()
    app.parts = replace(app.parts, bulletin=Shelf(), serving=Models())  # type: ignore[arg-type]
    monkeypatch.setattr(app._lookout, "look", recovered)
    yield app
    consumer_of(app)._thread.thread_loop.close()


async def assign(worker: WorkerApp, *partitions: TP) -> None:
    consumer_of(worker).assignment = lambda: set(partitions)
    await worker._on_rebalanced(worker)


def reasons(worker: WorkerApp) -> tuple[bool, tuple[str, ...]]:
    health = worker.ready()
    return health.holds, health.reasons


async def test_each_of_what_is_missing_keeps_a_worker_from_being_ready(worker: WorkerApp) -> None:
    nothing_yet = reasons(worker)
    await assign(worker, TP0)
    recovered = reasons(worker)
    worker.parts.bulletin.ready = True  # type: ignore[misc]
    with_the_shelf = reasons(worker)
    worker.parts.serving.reason = ""  # type: ignore[union-attr]

    assert nothing_yet == (
        False,
        (
            "no partitions are assigned and recovered yet",
            "the product state is not read yet",
            "the models are not served yet",
        ),
    )
    assert recovered == (False, nothing_yet[1][1:])
    assert with_the_shelf == (False, nothing_yet[1][2:])
    assert reasons(worker) == (True, ())


async def test_worker_without_partitions_is_not_ready(worker: WorkerApp) -> None:
    await all_but_partitions(worker)
    await assign(worker)

    assert reasons(worker) == (False, ("no partitions are assigned and recovered yet",))


async def test_worker_is_not_ready_from_the_revocation_until_its_state_is_recovered(
    worker: WorkerApp,
) -> None:
    await all_but_partitions(worker)
    await assign(worker, TP0)
    before = worker.ready().holds

    await worker._on_revoked(worker, {TP0})
    revoked = worker.ready().holds
    await assign(worker, TP0)

    assert (before, revoked, worker.ready().holds) == (True, False, True)


async def test_worker_whose_recovery_fails_is_not_ready(
    worker: WorkerApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object, **__: object) -> None:
        raise LookupError("no changelog")

    async def ended(_: BaseException) -> None:
        return

    await all_but_partitions(worker)
    monkeypatch.setattr(worker_module, "recover_all", fails)
    monkeypatch.setattr(worker, "crash", ended)
    await assign(worker, TP0)

    assert not worker.ready().holds
    assert isinstance(worker.failure, LookupError)


async def all_but_partitions(worker: WorkerApp) -> None:
    worker.parts.bulletin.ready = True  # type: ignore[misc]
    worker.parts.serving.reason = ""  # type: ignore[union-attr]
