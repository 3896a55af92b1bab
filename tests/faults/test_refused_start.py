"""A worker that cannot work ends, with a code and a message that say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.kafka.administration import create_topics
from stream.local.children import free_port
from stream.local.local_broker import LocalBroker
from stream.settings import Settings
from stream.wanted_topics import wanted_topics
from tests.harness.worker import Worker

pytestmark = pytest.mark.broker


def test_a_worker_without_a_broker_ends_and_names_it(tmp_path: Path) -> None:
    nowhere = f"127.0.0.1:{free_port()}"

    with Worker(tmp_path, nowhere, triton=None) as worker:
        code = worker.wait_ended()

    assert code != 0
    assert nowhere in worker.tail()
    assert "No broker" in worker.tail()
    assert "The worker has failed; what it did not commit is read again." in worker.tail()
    assert "committed." not in worker.tail()


def test_a_worker_refuses_topics_with_other_partition_counts(
    own_broker: LocalBroker, tmp_path: Path
) -> None:
    create_topics([own_broker.bootstrap], wanted_topics(Settings(partitions=3)))

    with Worker(tmp_path, own_broker.bootstrap, triton=None, partitions=4) as worker:
        code = worker.wait_ended()

    assert code != 0
    assert "expected 4 partitions of every topic" in worker.tail()
    assert "store.events.v1 has 3" in worker.tail()
    assert "storestream topics check" in worker.tail()
