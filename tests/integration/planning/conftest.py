"""A store of their own for these tests: topic names are fixed."""

from __future__ import annotations

from tests.harness.fixtures import own_broker, store

__all__ = ["own_broker", "store"]
