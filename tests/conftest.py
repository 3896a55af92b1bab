"""What every suite shares: a broker of our own, started when the first test asks for it."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator

import pytest

from stream.kafka.administration import Topic, create_topics
from stream.local.local_broker import LocalBroker
from tests.harness.brokers import broker_in

pytest_plugins = ("tests.integration.triton_fixtures",)

# Threads of torch spin while they wait for each other, in what is started here as well: `threads.py`.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A broker that outlives this run knows the topics of earlier ones.
_run = time.time_ns()
_ordinals = itertools.count(1)

NewTopic = Callable[[int], str]


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    started = broker_in(tmp_path_factory.mktemp("broker"))
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def bootstrap(broker: LocalBroker) -> str:
    """Address of the broker under test."""
    return broker.bootstrap


@pytest.fixture
def new_topic(bootstrap: str) -> NewTopic:
    """Create an empty topic of so many partitions and return its name."""

    def create(n_partitions: int = 1) -> str:
        name = f"test.run-{_run}.topic-{next(_ordinals)}.v1"
        create_topics([bootstrap], [Topic(name, n_partitions, replication=1)])
        return name

    return create
