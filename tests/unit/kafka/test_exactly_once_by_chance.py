"""Whatever is drawn, each record has one answer or one dead letter, and state is the answers' fold."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from faust.types import TP

from stream.kafka import consumer
from tests.unit.kafka.simulated import N_RECORDS, TPS, SimulatedWorker, condemn
from tests.unit.kafka.simulated_broker import SimulatedBroker

N_WORKERS = 4


@pytest.mark.parametrize("seed", range(40))
async def test_each_record_is_answered_once_whatever_happens(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "LAST_COMMIT_S", 0.001)
    chance = random.Random(seed)
    broker = SimulatedBroker(chance)
    condemned = {(tp, chance.randrange(N_RECORDS)) for tp in TPS for _ in range(2)}
    for tp, offset in condemned:
        condemn(broker, tp, offset)
    for _ in range(N_WORKERS):
        broker.p_refused, broker.p_lost = chance.choice([(0, 0), (0.03, 0.03)])
        await live(broker, tmp_path)
    broker.p_refused = broker.p_lost = 0
    await live(broker, tmp_path, to_the_end=True)

    said = {
        (tp, offset): [broker.outputs[_named(kind, tp, offset)] for kind in (b"answer", b"letter")]
        for tp in TPS
        for offset in range(N_RECORDS)
    }
    # A record at which workers died more often may be set aside as well.
    assert {at: said[at] for at in said if said[at] not in ([0, 1], [1, 0])} == {}
    assert {said[at][1] for at in condemned} == {1}
    assert {n_folded(broker, tp) + n_letters(broker, tp) for tp in TPS} == {N_RECORDS}
    assert broker.offsets == dict.fromkeys(TPS, N_RECORDS)


def n_folded(broker: SimulatedBroker, tp: TP) -> int:
    return int(broker.changelog[tp.partition, tp.topic.encode()]) // 1000


def n_letters(broker: SimulatedBroker, tp: TP) -> int:
    return sum(
        output.startswith(b"letter %s %d " % (tp.topic.encode(), tp.partition))
        for output in broker.outputs
    )


def _named(kind: bytes, tp: TP, offset: int) -> bytes:
    return b"%s %s %d %d" % (kind, tp.topic.encode(), tp.partition, offset)


async def live(broker: SimulatedBroker, folder: Path, *, to_the_end: bool = False) -> None:
    """One worker: assigned, rebalanced now and then, and ended or killed."""
    chance, worker = broker.chance, SimulatedWorker(broker, folder)
    async with asyncio.timeout(20):
        await worker.assign()
        worker.begin()
        if to_the_end:
            while broker.offsets != dict.fromkeys(TPS, N_RECORDS):
                await asyncio.sleep(0)
                if worker.failures:
                    raise worker.failures[0]
        for _ in range(chance.randrange(3)):
            await broker.pause(200)
            if worker.failures:
                break
            if chance.random() < 0.3:
                worker.consumer._n_drops += 1  # as by a fetch that nobody waited for
                continue
            await worker.revoke()
            await worker.assign()
        await broker.pause(100)
        if worker.failures or chance.random() < 0.5:
            await worker.end()
        await worker.die()
