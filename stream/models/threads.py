"""How many threads torch may use while it trains."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def half_the_cores() -> Iterator[None]:
    """Let torch use half the cores, at least one, and give back what it had.

    Its threads spin while they wait for each other: on two cores that others use too, two threads
    took 9 s and 39 s where one took 4 s and 9 s.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // 2))
    try:
        yield
    finally:
        torch.set_num_threads(before)
