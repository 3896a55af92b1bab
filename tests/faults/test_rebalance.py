"""Workers join and leave under load."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.harness.judging import losses
from tests.harness.load import send_over
from tests.harness.store import Store
from tests.harness.trade import opening, trade
from tests.harness.waiting import until
from tests.harness.worker import Worker, shared_out

pytestmark = [pytest.mark.broker, pytest.mark.triton, pytest.mark.slow]


def test_a_worker_that_joins_and_leaves_under_load_loses_nothing(
    store: Store, triton: str, tmp_path: Path
) -> None:
    chance = random.Random(13)
    sent = store.publish(*opening(chance))
    with Worker(tmp_path, store.bootstrap, triton=triton) as first:
        first.wait_ready()
        with Worker(tmp_path, store.bootstrap, triton=triton) as second:
            sent += send_over(store, trade(chance, 3000), 6)
            second.wait_ready()
            until(lambda: shared_out(first, second), "the two share the partitions")
            sent += send_over(store, trade(chance, 1000), 1)
            second.terminate()
            sent += send_over(store, trade(chance, 2000), 4)
            code = second.wait_ended()
        store.settle()

    assert code == 0
    assert losses(store, sent) == []
