"""What every suite shares: a broker of our own, started when the first test asks for it."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator

import pytest

from stream.kafka.administration import Topic, create_topics
from stream.local.broker import EmbeddedBroker

pytest_plugins = ("tests.integration.triton_fixtures",)

# A broker that outlives this run knows the topics of earlier ones.
_run = time.time_ns()
_ordinals = itertools.count(1)

NewTopic = Callable[[int], str]


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    embedded = EmbeddedBroker(tmp_path_factory.mktemp("broker"))
    embedded.start()
    yield embedded
    embedded.stop()


@pytest.fixture(scope="session")
def bootstrap(request: pytest.FixtureRequest) -> str:
    """Address of the broker under test: the embedded one, unless the environment names another."""
    named = os.environ.get("STORESTREAM_TEST_BOOTSTRAP")
    if named:
        return named
    embedded: EmbeddedBroker = request.getfixturevalue("broker")
    return embedded.bootstrap


@pytest.fixture
def new_topic(bootstrap: str) -> NewTopic:
    """Create an empty topic of so many partitions and return its name."""

    def create(n_partitions: int = 1) -> str:
        name = f"test.run-{_run}.topic-{next(_ordinals)}.v1"
        create_topics([bootstrap], [Topic(name, n_partitions, replication=1)])
        return name

    return create
