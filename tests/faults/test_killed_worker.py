"""``kill -9`` of the worker: nothing lost, nothing folded twice, no alert forgotten."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from stream.domain.events import Item
from stream.domain.outputs import StockAlert
from stream.domain.products import on_hand
from stream.kafka.partitioning import partition_of
from stream.local.triton import EmbeddedTriton
from tests.harness.events import N_PARTITIONS, as_history, count, order
from tests.harness.judging import losses
from tests.harness.load import send_over
from tests.harness.store import Store
from tests.harness.trade import opening, trade
from tests.harness.waiting import until
from tests.harness.worker import Worker

pytestmark = [pytest.mark.broker, pytest.mark.triton, pytest.mark.slow]

N_KILLS = 2


def test_a_worker_killed_in_mid_stream_loses_nothing_and_folds_nothing_twice(
    store: Store, triton: str, tmp_path: Path
) -> None:
    """It answers event by event, so that many rows wait, and dies between two commits.

    Small chunks are committed one after another: most is still to be done after the first.
    """
    slowly: dict[str, Any] = {"conflate": False, "max_chunk_records": 100}
    chance = random.Random(11)
    sent = store.publish(*opening(chance))
    for _ in range(N_KILLS):
        with Worker(tmp_path, store.bootstrap, triton=triton, **slowly) as worker:
            worker.wait_ready()
            sent += send_over(store, trade(chance, 1000), 1.0)
            store.settle()
            with worker.held():
                sent += send_over(store, trade(chance, 6000), 0)
            wait_for_a_commit(store)
            worker.kill()
            store.read()
            assert store.uncommitted(), "it was killed too late: nothing was in flight"
    with Worker(tmp_path, store.bootstrap, triton=triton):
        store.settle()

    assert losses(store, sent) == []


def wait_for_a_commit(store: Store) -> None:
    before = store.committed()
    until(lambda: store.committed() != before, "some of it is committed")


def test_an_alert_cut_off_by_a_kill_still_comes(
    store: Store, own_triton: EmbeddedTriton, tmp_path: Path
) -> None:
    """The forecaster is frozen, and what needs no forecast has its partition's state written: the
    shelf is known to be empty, durably, and no alert is out. Then the worker is killed."""
    patient: dict[str, Any] = {
        "broker_session_timeout_s": 6,
        "shutdown_timeout_s": 3.7,
        "triton_timeout_s": 3.6,
        "triton_deadline_s": 3.6,
    }
    past = as_history(count(neighbour_of("cut-off"), 1000))

    def shelf_is_known_to_be_empty() -> bool:
        store.publish(past)
        return units_of(store, "cut-off") == 0

    with Worker(tmp_path, store.bootstrap, triton=own_triton.grpc, **patient) as worker:
        worker.wait_ready()
        store.publish(count("cut-off", 1000))
        store.settle()
        os.kill(own_triton.child.pid, signal.SIGSTOP)
        store.publish(order("ann", Item("cut-off", quantity=1000)))
        store.until(shelf_is_known_to_be_empty, "the changelog knows the empty shelf")
        worker.kill()
    os.kill(own_triton.child.pid, signal.SIGCONT)
    store.read()
    before = alerts_of(store, "cut-off")

    with Worker(tmp_path, store.bootstrap, triton=own_triton.grpc):
        store.settle()

    [alert] = alerts_of(store, "cut-off")
    assert before == []
    assert (alert.kind, alert.status, alert.revision) == ("out_of_stock", "opened", 1)


def neighbour_of(product_id: str) -> str:
    """Another product of the same partition."""
    home = partition_of(product_id.encode(), N_PARTITIONS)
    names = (f"neighbour-{number}" for number in range(1000))
    return next(name for name in names if partition_of(name.encode(), N_PARTITIONS) == home)


def alerts_of(store: Store, product_id: str) -> list[StockAlert]:
    return [alert for alert in store.alerts() if alert.product_id == product_id]


def units_of(store: Store, product_id: str) -> int | None:
    known = {key: product for (_, key), product in store.products().items()}
    return on_hand(known[product_id]) if product_id in known else None
