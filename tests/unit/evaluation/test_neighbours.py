"""Each rule of VMIS-kNN by a case small enough to count by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stream.evaluation.histories import in_order
from stream.evaluation.neighbours import Neighbours, Reach, newest_first
from stream.models.acts import Acts


def rows(*histories: list[int]) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    return [np.array(history, dtype=np.int64) for history in histories]


def histories(*rows_of_items: list[int]) -> list[Acts]:
    return [in_order(row) for row in rows(*rows_of_items)]


def test_sessions_in_common_vote_by_nearness_place_and_rarity() -> None:
    ranker = Neighbours(rows([1, 2, 5], [2, 6], [7, 8]), n_products=8)

    [scores] = ranker.score(histories([1, 2]))

    # The first shares 1 (1/2) and 2 (2/2); the second 2; the newest in common is newest of all.
    assert scores[5] == pytest.approx(1.5 * 0.9 * math.log(3 / 1))
    assert scores[6] == pytest.approx(1.0 * 0.9 * math.log(3 / 1))
    assert scores[7] == scores[8] == 0


def test_an_older_product_in_common_counts_less() -> None:
    ranker = Neighbours(rows([1, 5], [2, 6], [7, 8]), n_products=8)

    [scores] = ranker.score(histories([1, 2]))

    assert scores[5] == pytest.approx(0.5 * 0.8 * math.log(3))
    assert scores[6] == pytest.approx(1.0 * 0.9 * math.log(3))


def test_only_the_most_recent_sessions_of_a_product_are_looked_at() -> None:
    ranker = Neighbours(rows([1, 5], [1, 6], [1, 7], [2, 8]), n_products=8, reach=Reach(n_recent=2))

    [scores] = ranker.score(histories([1]))

    assert scores[5] == 0
    assert scores[6] > 0
    assert scores[7] > 0


def test_only_the_nearest_vote_and_the_more_recent_among_equals() -> None:
    train = rows([1, 2, 5], [2, 6], [2, 7])
    ranker = Neighbours(train, n_products=8, reach=Reach(n_nearest=2))

    [scores] = ranker.score(histories([1, 2]))

    assert scores[5] > 0
    assert scores[7] > 0
    assert scores[6] == 0


def test_nobody_votes_for_a_visitor_without_history_or_with_unknown_products() -> None:
    ranker = Neighbours(rows([1, 2], [2, 3]), n_products=4)

    scores = ranker.score(histories([], [4]))

    assert not scores.any()


def test_each_product_counts_once_by_its_newest_place() -> None:
    assert newest_first(np.array([3, 1, 3, 2, 1])).tolist() == [1, 2, 3]
