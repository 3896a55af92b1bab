"""One store and one worker for a module of tests, which keep to visitors and products of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.fixtures import own_broker, store
from tests.harness.store import Store
from tests.harness.worker import Worker

__all__ = ["own_broker", "store", "worker"]


@pytest.fixture(scope="module")
def worker(store: Store, triton: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    folder: Path = tmp_path_factory.mktemp("worker")
    with Worker(folder, store.bootstrap, triton=triton) as started:
        yield started.wait_ready()
