from __future__ import annotations

import numpy as np

from stream.evaluation.popularity import Popularity


def test_scores_are_how_often_each_product_occurs() -> None:
    ranker = Popularity([np.array([2, 1]), np.array([2])], n_products=3)

    scores = ranker.score([np.array([1]), np.array([3, 3])])

    assert scores.tolist() == [[0, 1, 2, 0]] * 2
