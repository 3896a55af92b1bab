"""A worker that its consumer group does not take in ends, and says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.store import Store
from tests.harness.worker import Worker

pytestmark = pytest.mark.kafka


def test_a_worker_whose_session_the_broker_forbids_ends_and_says_so(
    store: Store, tmp_path: Path
) -> None:
    """Apache Kafka has a least session, two seconds here; the embedded broker takes any."""
    with Worker(
        tmp_path,
        store.bootstrap,
        triton=None,
        broker_session_timeout_s=1,
        broker_heartbeat_interval_s=0.2,
        triton_timeout_s=0.2,
        triton_deadline_s=0.4,
    ) as worker:
        code = worker.wait_ended()

    assert code != 0
    assert "the consumer group does not take this worker in: InvalidSessionTimeoutError" in (
        worker.tail()
    )
