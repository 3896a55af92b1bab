"""A broker and its topics for a module of tests: topic names are fixed, so each has its own."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.bench.faults.wire import Wire
from stream.local.apache_kafka import ApacheKafka, fetch_jars
from stream.local.children import free_port
from stream.local.kafka_properties import Wiring
from stream.local.local_broker import LocalBroker
from stream.local.triton import EmbeddedTriton
from tests.harness.brokers import broker_in
from tests.harness.store import Store, empty_store
from tests.integration.triton_fixtures import MODEL_NAMES

#: kafka-python 3.0.12 leaks a socket each time that a node refuses it: for modules whose brokers die.
LEAKS_KNOWN = (
    pytest.mark.usefixtures("leaks_found"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
)


@pytest.fixture(scope="module")
def leaks_found() -> Iterator[None]:
    """Find what leaked while it is known, not in another module.

    pytest keeps the last test's lines of log, and these the sockets that they are about, until the
    run has ended: there, what is found fails a run of which every test passed.
    """
    yield
    for each in gc.get_objects():
        # Asked for its class, an object of torch's warns.
        if type(each) is logging.LogRecord:
            each.msg, each.args, each.exc_info = each.getMessage(), None, None
    gc.collect()


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    started = broker_in(tmp_path_factory.mktemp("broker"))
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with Wire(free_port()) as wire:
        yield wire


@pytest.fixture(scope="module")
def wired_broker(tmp_path_factory: pytest.TempPathFactory, wire: Wire) -> Iterator[ApacheKafka]:
    """A broker that tests talk to directly, and workers through the wire."""
    wiring = Wiring(port=wire.target_port, proxy_port=wire.port)
    broker = ApacheKafka(tmp_path_factory.mktemp("broker"), fetch_jars(), wiring=wiring)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def store(own_broker: LocalBroker) -> Iterator[Store]:
    created = empty_store(own_broker.bootstrap)
    yield created
    created.close()


@pytest.fixture(scope="module")
def own_triton(
    tiny_repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedTriton]:
    """A server that a test may freeze and kill."""
    server = EmbeddedTriton(tmp_path_factory.mktemp("triton"), tiny_repository)
    server.start(MODEL_NAMES)
    yield server
    server.stop()
