from __future__ import annotations

import numpy as np
import pytest

from stream.models.acts import Row
from stream.models.neighbours import nearest


def make_rows(*rows: list[int]) -> list[Row]:
    return [np.array(row, dtype=np.int64) for row in rows]


def test_what_visitors_acted_on_together_is_near_and_the_rest_is_not() -> None:
    neighbours, nearness = nearest(make_rows([1, 2], [1, 2], [3, 4]), 5, 3)

    assert neighbours[1].tolist() == [2, 0, 0]
    assert neighbours[3].tolist() == [4, 0, 0]
    assert nearness[1, 0] > nearness[3, 0]
    assert not neighbours[5].any()
    assert not nearness[5].any()


def test_a_step_forward_counts_for_more_than_one_back() -> None:
    _, nearness = nearest(make_rows([1, 2]), 2, 1)

    assert nearness[2, 0] == pytest.approx(0.7 * nearness[1, 0])


def test_what_lies_between_makes_it_count_for_less() -> None:
    neighbours, _ = nearest(make_rows([1, 2, 3], [4, 2, 5]), 5, 2)

    assert neighbours[1].tolist() == [2, 3]
    assert neighbours[4].tolist() == [2, 5]


def test_a_popular_neighbour_is_damped() -> None:
    rows = make_rows([1, 2], [1, 3], *([[3, 4]] * 30))

    neighbours, _ = nearest(rows, 4, 2)

    assert neighbours[1].tolist() == [2, 3]


def test_only_the_nearest_are_kept() -> None:
    neighbours, _ = nearest(make_rows([1, 2], [1, 2], [1, 3]), 3, 1)

    assert neighbours[1].tolist() == [2]


def test_nearness_is_what_the_formula_says() -> None:
    _, nearness = nearest(make_rows([1, 2], [1, 3]), 3, 2)

    assert nearness[1, 0] == pytest.approx(1 / (7**0.5 * 6**0.3))
