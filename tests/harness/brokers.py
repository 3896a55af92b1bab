"""The broker under test: the embedded one, or Apache Kafka itself in ``make test-kafka``."""

from __future__ import annotations

import os
from pathlib import Path

from stream.local.apache_kafka import ApacheKafka, fetch_jars
from stream.local.broker import EmbeddedBroker
from stream.local.local_broker import LocalBroker

#: Names it: ``embedded``, which it is by default, or ``kafka``.
VARIABLE = "STORESTREAM_TEST_BROKER"


def broker_in(folder: Path) -> LocalBroker:
    """Return the broker under test, not started, with its data in *folder*.

    Raises:
        ValueError: The environment names another.
    """
    name = os.environ.get(VARIABLE, "embedded")
    if name not in ("embedded", "kafka"):
        raise ValueError(f"{VARIABLE}: expected embedded or kafka, got {name!r}")
    return EmbeddedBroker(folder) if name == "embedded" else ApacheKafka(folder, fetch_jars())
