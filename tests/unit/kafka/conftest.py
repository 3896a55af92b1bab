"""A vigil over a clock that stands still until it is moved."""

from __future__ import annotations

import pytest

from stream.kafka.vigil import Vigil
from tests.unit.builders import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vigil(clock: Clock) -> Vigil:
    vigil = Vigil(10, clock=clock)
    vigil.beat()
    return vigil
