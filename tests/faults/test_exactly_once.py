"""Exactly once, on Apache Kafka: whatever workers die of, no event is covered and no id said twice."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.harness.judging import losses, repeats
from tests.harness.load import send_over
from tests.harness.store import Sent, Store
from tests.harness.trade import opening, trade
from tests.harness.waiting import until
from tests.harness.worker import Worker

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

N_KILLS = 2
EXACTLY_ONCE: dict[str, Any] = {"exactly_once": True, "triton": None}


def test_killed_workers_cover_each_event_once(store: Store, tmp_path: Path) -> None:
    chance = random.Random(11)
    sent = store.publish(*opening(chance))
    for _ in range(N_KILLS):
        with Worker(tmp_path, store.bootstrap, conflate=False, **EXACTLY_ONCE) as worker:
            worker.wait_ready()
            with worker.held():
                sent += send_over(store, trade(chance, 2500), 0)
            wait_for_a_commit(store)
            worker.kill()
            store.read()
            assert store.uncommitted(), "it was killed too late: nothing was in flight"
    with Worker(tmp_path, store.bootstrap, **EXACTLY_ONCE):
        store.settle()

    assert_exactly_once(store, sent)


def test_a_worker_frozen_for_longer_than_its_session_says_nothing_again(
    store: Store, tmp_path: Path
) -> None:
    chance = random.Random(7)
    sent = store.publish(*opening(chance))
    with Worker(tmp_path, store.bootstrap, **EXACTLY_ONCE) as frozen:
        frozen.wait_ready()
        sent += send_over(store, trade(chance, 4000), 0)
        os.kill(frozen.pid, signal.SIGSTOP)
        with Worker(tmp_path, store.bootstrap, **EXACTLY_ONCE) as successor:
            successor.wait_ready()
            store.settle()
            os.kill(frozen.pid, signal.SIGCONT)

            assert frozen.wait_ended() != 0

    assert_exactly_once(store, sent)


def test_workers_that_come_and_go_say_nothing_again(store: Store, tmp_path: Path) -> None:
    chance = random.Random(13)
    sent = store.publish(*opening(chance))
    with Worker(tmp_path, store.bootstrap, **EXACTLY_ONCE) as first:
        first.wait_ready()
        with Worker(tmp_path, store.bootstrap, **EXACTLY_ONCE) as second:
            sent += send_over(store, trade(chance, 3000), 6)
            second.wait_ready()
            sent += send_over(store, trade(chance, 1000), 1)
            second.terminate()
            sent += send_over(store, trade(chance, 2000), 4)
            code = second.wait_ended()
        store.settle()

    assert code == 0
    assert_exactly_once(store, sent)


def assert_exactly_once(store: Store, sent: list[Sent]) -> None:
    assert losses(store, sent) == []
    assert repeats(store) == []
    assert covered_twice(store) == []


def covered_twice(store: Store) -> list[tuple[str, str, int, int]]:
    """Return the visitors' records that two answers cover."""
    seen: set[tuple[str, str, int, int]] = set()
    twice = []
    for answer in store.answers():
        for cover in answer.decoded.covers:
            for offset in range(cover.first_offset, cover.last_offset + 1):
                at = answer.decoded.visitor_id, cover.topic, cover.partition, offset
                if at in seen:
                    twice.append(at)
                seen.add(at)
    return twice


def wait_for_a_commit(store: Store) -> None:
    before = store.committed()
    until(lambda: store.committed() != before, "some of it is committed")
