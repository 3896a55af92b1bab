from __future__ import annotations

import numpy as np

from stream.models.acts import Acts, History, indexed
from stream.models.validation import hold_out

KNOWN = [f"p{number}" for number in range(40)]


def make_rows(n_visitors: int, n_acts: int) -> list[Acts]:
    return indexed([History.in_order(KNOWN[:n_acts])] * n_visitors, KNOWN)


def cut(rows: list[Acts], seen: list[Acts]) -> int:
    return sum(len(after.items) < len(row.items) for row, after in zip(rows, seen, strict=True))


def test_a_small_store_learns_from_most_of_its_visitors() -> None:
    rows = make_rows(80, 16)

    seen, held = hold_out(rows, np.random.default_rng(1))

    assert cut(rows, seen) == 20
    assert len(held) == 20 * 4


def test_a_large_store_is_asked_no_more_than_tells_better_from_worse() -> None:
    rows = make_rows(9_000, 4)

    seen, _ = hold_out(rows, np.random.default_rng(1))

    assert cut(rows, seen) == 2_000


def test_those_are_asked_who_did_enough() -> None:
    rows = [*make_rows(60, 1), *make_rows(4, 8)]

    seen, held = hold_out(rows, np.random.default_rng(1))

    assert cut(rows, seen) == 4
    assert len(held) == 4 * 2
    assert all(len(row.items) for row in seen)
