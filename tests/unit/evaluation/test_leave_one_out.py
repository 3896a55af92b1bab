from __future__ import annotations

import numpy as np

from stream.evaluation.histories import in_order
from stream.evaluation.leave_one_out import leave_one_out


def test_the_last_is_asked_in_the_test_and_the_one_before_validates() -> None:
    split = leave_one_out([in_order(np.array([4, 2, 9, 1]))])

    assert [row.items.tolist() for row in split.train] == [[4, 2]]
    assert [row.items.tolist() for row in split.validation.histories] == [[4, 2]]
    assert [row.tolist() for row in split.validation.answers] == [[9]]
    assert [row.items.tolist() for row in split.test.histories] == [[4, 2, 9]]
    assert [row.tolist() for row in split.test.answers] == [[1]]


def test_who_has_too_little_is_learnt_from_and_not_asked() -> None:
    split = leave_one_out([in_order(np.array([4, 2])), in_order(np.array([1, 2, 3]))])

    assert [row.items.tolist() for row in split.train] == [[4, 2], [1]]
    assert [row.tolist() for row in split.test.answers] == [[3]]
