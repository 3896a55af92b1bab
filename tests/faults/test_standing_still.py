"""Work that stands still while everything turns: the worker does not live, ends, blames no record."""

from __future__ import annotations

import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from tests.harness.events import view
from tests.harness.store import Store
from tests.harness.waiting import until
from tests.harness.worker import Worker

pytestmark = [pytest.mark.broker, pytest.mark.slow]

FRAGILE = (sys.executable, "-m", "tests.faults.fragile_worker", "worker")
#: A worker that crashes sends no heartbeats. It takes back its notes after the drain, if its
#: session, as in production, lasts longer than that.
STANDING: dict[str, Any] = {"triton": None, "watchdog_s": 3, "broker_session_timeout_s": 6}


def test_a_worker_that_forgets_a_batch_does_not_live_and_its_successor_goes_on(
    store: Store, tmp_path: Path
) -> None:
    sent = store.publish(view("ann", "forgotten"), view("bob", "p1"))

    with Worker(tmp_path, store.bootstrap, command=FRAGILE, **STANDING) as worker:
        until(lambda: worker.ask("/live")[0] == HTTPStatus.SERVICE_UNAVAILABLE, "it does not live")
        _, why = worker.ask("/live")
        code = worker.wait_ended()
    with Worker(tmp_path, store.bootstrap, triton=None) as successor:
        store.settle()

    assert code != 0
    assert "no progress for" in why
    assert store.unanswered(sent) == []
    assert successor.logged("partitions_under_suspicion") == []


def test_a_worker_that_fetches_no_more_does_not_take_itself_for_done(
    store: Store, tmp_path: Path
) -> None:
    """It has committed all it knows of; that there is more, only the broker can say."""
    with Worker(tmp_path, store.bootstrap, triton=None, command=FRAGILE, watchdog_s=3) as worker:
        worker.wait_ready()
        store.publish(view("cat", "deafening"))
        store.settle()
        sent = store.publish(view("cat", "p1"))
        code = worker.wait_ended()
    with Worker(tmp_path, store.bootstrap, triton=None):
        store.settle()

    assert code != 0
    assert "no progress for" in worker.logged("worker_failed")[0]["error"]
    assert store.unanswered(sent) == []
