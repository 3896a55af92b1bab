from __future__ import annotations

import numpy as np

from stream.evaluation.histories import in_order
from stream.evaluation.popularity import Again, Popularity
from stream.models.acts import Acts


def acts(*items: int) -> Acts:
    return in_order(np.array(items, dtype=np.int64))


def test_scores_are_how_often_each_product_occurs() -> None:
    ranker = Popularity([acts(2, 1), acts(2)], n_products=3)

    scores = ranker.score([acts(1), acts(3, 3)])

    assert scores.tolist() == [[0, 1, 2, 0]] * 2


def test_what_the_visitor_had_most_comes_first_and_then_what_all_had() -> None:
    ranker = Again([acts(2, 1, 2, 3)], n_products=4)

    [scores] = ranker.score([acts(4, 4, 3)])

    assert np.argsort(-scores)[:4].tolist() == [4, 3, 2, 1]
