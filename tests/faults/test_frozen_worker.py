"""A worker frozen for longer than its session: another has taken over when it wakes."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from stream.topics import PRODUCTS_CHANGELOG, SESSIONS_CHANGELOG, STOCK_MOVEMENTS
from tests.harness.store import Store
from tests.harness.trade import opening, trade
from tests.harness.worker import Worker

pytestmark = [pytest.mark.broker, pytest.mark.slow]

WRITTEN = (SESSIONS_CHANGELOG, PRODUCTS_CHANGELOG, STOCK_MOVEMENTS)


def test_a_worker_frozen_for_longer_than_its_session_ends_without_a_write(
    store: Store, tmp_path: Path
) -> None:
    chance = random.Random(7)
    store.publish(*opening(chance))
    with Worker(tmp_path, store.bootstrap, triton=None, commit_interval_s=3) as frozen:
        frozen.wait_ready()
        store.publish(*trade(chance, 4000))
        os.kill(frozen.pid, signal.SIGSTOP)
        with Worker(tmp_path, store.bootstrap, triton=None, commit_interval_s=3) as successor:
            successor.wait_ready()
            store.settle()
            before = n_written(store)

            os.kill(frozen.pid, signal.SIGCONT)

            assert frozen.wait_ended() != 0
            store.read()
    assert n_written(store) == before
    assert "SessionExpired" in frozen.logged("worker_failed")[0]["error"]


def n_written(store: Store) -> dict[str, int]:
    return {topic.name: len(store.records(topic)) for topic in WRITTEN}
