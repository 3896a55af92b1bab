from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from faust.tables import TableManager
from faust.types import TP

from stream.kafka.consumer_app import BatchApp
from stream.kafka.no_tables import NoTables


class Impatient(NoTables):
    """Refuses to wait."""

    async def sleep(self, *_: object, **__: object) -> None:
        raise AssertionError("it waited for tables to be declared")


def an_app(**options: Any) -> BatchApp:
    loop = asyncio.get_running_loop()
    return BatchApp("app", broker="storestream://127.0.0.1:1", loop=loop, **options)


async def test_tables_are_known_at_once_for_there_are_none() -> None:
    app = an_app(TableManager=Impatient)

    await app.tables.on_start()
    try:
        assert app.tables._tables_registered.is_set()
        assert app.tables.recovery.started
    finally:
        await app.tables.recovery.stop()
        app.consumer._thread.thread_loop.close()


async def test_an_app_of_ours_has_no_tables() -> None:
    assert an_app().conf.TableManager is NoTables


@pytest.mark.parametrize(("manager", "goes_on"), [(TableManager, False), (NoTables, True)])
async def test_seek_that_takes_longer_than_a_request_does_not_end_recovery_for_ever(
    manager: type[TableManager], goes_on: bool
) -> None:
    """Faust's ends as if the worker were stopped, and no later assignment is ever read."""
    app = an_app(TableManager=manager, broker_request_timeout=0.05)
    consumer, recovery, n_seeks = app.consumer, app.tables.recovery, 0

    async def seek() -> None:
        nonlocal n_seeks
        n_seeks += 1
        await asyncio.sleep(0.2)

    consumer.assignment, consumer.perform_seek = (lambda: {TP("topic", 0)}), seek
    consumer.resume_partitions = lambda _: None
    app._fetcher.maybe_start = nothing
    await recovery.start()
    for _ in range(2):
        recovery.completed.clear()
        recovery.signal_recovery_start.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await recovery.completed.wait()
    await recovery.stop()
    consumer._thread.thread_loop.close()

    assert (n_seeks, recovery.completed.is_set()) == ((2, True) if goes_on else (1, False))


async def nothing() -> None:
    return
