"""What every suite shares: a broker of our own, started when the first test asks for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from stream.kafka.administration import Topic, create_topics
from stream.local.broker import EmbeddedBroker

_ordinals = itertools.count(1)

NewTopic = Callable[[int], str]


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    embedded = EmbeddedBroker(tmp_path_factory.mktemp("broker"))
    embedded.start()
    yield embedded
    embedded.stop()


@pytest.fixture(scope="session")
def bootstrap(broker: EmbeddedBroker) -> str:
    return broker.bootstrap


@pytest.fixture
def new_topic(bootstrap: str) -> NewTopic:
    """Create an empty topic of so many partitions and return its name."""

    def create(n_partitions: int = 1) -> str:
        name = f"test.topic-{next(_ordinals)}.v1"
        create_topics([bootstrap], [Topic(name, n_partitions, replication=1)])
        return name

    return create
