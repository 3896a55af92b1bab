"""SIGTERM: what was begun is finished, confirmed and committed; nothing is done again."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.harness.judging import losses, repeats
from tests.harness.load import send_over
from tests.harness.store import Store
from tests.harness.trade import opening, trade
from tests.harness.worker import Worker

pytestmark = [pytest.mark.broker, pytest.mark.triton, pytest.mark.slow]


def test_a_stopped_worker_has_committed_all_it_published(
    store: Store, triton: str, tmp_path: Path
) -> None:
    chance = random.Random(12)
    sent = store.publish(*opening(chance))
    with Worker(tmp_path, store.bootstrap, triton=triton) as worker:
        worker.wait_ready()
        sent += send_over(store, trade(chance, 3000), 1.5)
        worker.terminate()
        sent += send_over(store, trade(chance, 1000), 0.5)
        code = worker.wait_ended()
    store.read()
    published = [cover for answer in store.answers() for cover in answer.decoded.covers]
    committed = store.committed()
    left = store.uncommitted()

    with Worker(tmp_path, store.bootstrap, triton=triton):
        store.settle()

    assert code == 0
    assert left, "it was stopped too late: nothing was left to do"
    assert all(c.last_offset < committed[c.topic, c.partition] for c in published)
    assert repeats(store) == []
    assert losses(store, sent) == []
