"""What a worker that is assigned partitions again and again leaves behind: nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from faust.types import TP

from stream.kafka.records import OutRecord
from stream.kafka.store import Form, StateStore
from stream.kafka.transactions import TransactionalProducer, Transactions

pytestmark = pytest.mark.kafka

N_REBALANCES = 30
N_UNITS = 4
AS_IT_IS: Form[bytes] = Form(bytes, bytes)


async def test_rebalances_leave_no_connection_and_no_task(
    bootstrap: str, new_topic: Callable[[int], str]
) -> None:
    read, changelog = new_topic(N_UNITS), new_topic(N_UNITS)
    store: StateStore[bytes] = StateStore(changelog, None, AS_IT_IS)
    failures: list[BaseException] = []
    transactions = Transactions(
        {read: store},
        lambda unit: TransactionalProducer(
            [bootstrap],
            transactional_id=unit,
            group_id=f"group-of-{read}",
            timeout_s=20,
            client_id="test",
        ),
        on_failure=failures.append,
    )
    tps = [TP(read, number) for number in range(N_UNITS)]
    before = _held()
    for ordinal in range(N_REBALANCES):
        await transactions.own(tps)
        for tp in tps:
            store.open(tp.partition).collect([OutRecord(changelog, tp.partition, b"k", b"v")])
        commits = [
            asyncio.ensure_future(transactions.commit(transactions.unit_of(tp), {tp: ordinal + 1}))
            for tp in tps
        ]
        # Every second assignment is taken away while its transactions are under way.
        if ordinal % 2:
            await asyncio.sleep(0)
            transactions.disown()
        await asyncio.gather(*commits, return_exceptions=True)
    await transactions.stop()

    assert _held() == before
    assert failures == []


def _held() -> tuple[int, int]:
    """Open files and running tasks."""
    return len(list(Path("/proc/self/fd").iterdir())), len(asyncio.all_tasks())
