"""The deck of faults."""

from __future__ import annotations

import random
from itertools import islice, pairwise

import pytest

from stream.bench.faults.director import deck
from stream.bench.faults.kinds import KINDS
from stream.bench.faults.run import chosen_kinds
from stream.errors import Misconfigured

NAMES = ("a", "b", "c", "d")


def test_all_kinds_come_before_one_comes_again() -> None:
    dealt = [*islice(deck(NAMES, random.Random(1)), 400)]

    assert all(sorted(dealt[i : i + 4]) == [*NAMES] for i in range(0, 400, 4))


def test_no_kind_comes_twice_in_a_row() -> None:
    dealt = islice(deck(NAMES, random.Random(2)), 2000)

    assert all(one != other for one, other in pairwise(dealt))


def test_one_kind_alone_comes_again_and_again() -> None:
    assert [*islice(deck(["a"], random.Random(1)), 3)] == ["a", "a", "a"]


def test_a_seed_gives_the_same_order_and_another_seed_another() -> None:
    first, again, other = ([*islice(deck([*KINDS], random.Random(seed)), 60)] for seed in (1, 1, 2))

    assert first == again != other


def test_a_kind_that_there_is_not_is_refused() -> None:
    with pytest.raises(Misconfigured, match="no worker_eaten"):
        chosen_kinds("worker_killed,worker_eaten")
