"""Clients of the embedded broker, closed after the test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from stream.kafka.producer import BulkProducer
from tests.harness.fixtures import leaks_found

__all__ = ["leaks_found"]


@pytest_asyncio.fixture
async def producer(bootstrap: str) -> AsyncIterator[BulkProducer]:
    connected = BulkProducer([bootstrap], client_id="test", delivery_timeout_s=20)
    await connected.start()
    yield connected
    await connected.stop()
