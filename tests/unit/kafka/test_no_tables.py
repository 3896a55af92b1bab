from __future__ import annotations

import asyncio
from typing import Any

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
