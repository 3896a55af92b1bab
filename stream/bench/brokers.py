"""Where a benchmark runs: a broker that is started for it, or the one that the settings name."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream.errors import Misconfigured
from stream.kafka.administration import list_topics
from stream.local.apache_kafka import ApacheKafka, fetch_jars
from stream.local.broker import FETCH_WAIT_MS, EmbeddedBroker
from stream.local.local_broker import LocalBroker
from stream.settings import Settings, load
from stream.topics import TOPICS


@contextmanager
def started(broker: str) -> Iterator[Settings]:
    """Give the settings of *broker*: ``tansu``, ``kafka``, or that of the ``settings``.

    Raises:
        Misconfigured: The broker of the settings has our topics already.
        LocalPartMissing: What is to be started cannot run here.
    """
    if broker == "settings":
        settings = load()
        _refuse_used(settings)
        yield settings
        return
    with tempfile.TemporaryDirectory(prefix="storestream-bench-") as folder:
        local = _local(broker, Path(folder))
        try:
            local.start()
            yield _settings(local)
        finally:
            local.stop()


def _settings(local: LocalBroker) -> Settings:
    if isinstance(local, EmbeddedBroker):
        return Settings(bootstrap_servers=local.bootstrap, fetch_wait_ms=FETCH_WAIT_MS)
    return Settings(bootstrap_servers=local.bootstrap)


def _local(broker: str, folder: Path) -> LocalBroker:
    return ApacheKafka(folder, fetch_jars()) if broker == "kafka" else EmbeddedBroker(folder)


def _refuse_used(settings: Settings) -> None:
    used = list_topics(settings.bootstrap, [spec.name for spec in TOPICS])
    if used:
        raise Misconfigured(f"bench stream: {used[0].name} is in use; a bench needs its own broker")
