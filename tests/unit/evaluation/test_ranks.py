from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from stream.evaluation.histories import in_order
from stream.evaluation.questions import Questions
from stream.evaluation.ranks import Scores, quality_of, ranks_of, without
from stream.models.acts import Acts

N_PRODUCTS = 30


class Falling:
    """Scores a product the less the higher its index."""

    name = "falling"

    def score(self, histories: Sequence[Acts]) -> Scores:
        falling = -np.arange(N_PRODUCTS + 1, dtype=np.float32)
        return np.tile(falling, (len(histories), 1))


def asked(*questions: tuple[list[int], int]) -> Questions:
    seen = tuple(np.array(history, dtype=np.int64) for history, _ in questions)
    answers = tuple(np.array([answer]) for _, answer in questions)
    return Questions(np.arange(len(questions)), tuple(map(in_order, seen)), answers, seen)


def test_hits_and_gains_are_those_of_the_ranks() -> None:
    questions = asked(([20], 1), ([20], 3), ([20], 10), ([20], 11))

    quality = quality_of(Falling(), questions, N_PRODUCTS)

    assert quality.hr == 3 / 4
    assert quality.ndcg == pytest.approx((1 + 1 / np.log2(4) + 1 / np.log2(11)) / 4)


def test_products_of_the_history_take_no_place() -> None:
    quality = quality_of(Falling(), asked(([1, 2, 5], 12)), N_PRODUCTS)

    assert quality.hr == 1


def test_answers_stay_with_their_questions_whatever_the_lengths() -> None:
    questions = asked(([20, 21, 22], 11), ([20], 1), ([20, 21], 11), ([20], 2))

    quality = quality_of(Falling(), questions, N_PRODUCTS)

    assert quality.ndcg == pytest.approx((1 + 1 / np.log2(3)) / 4)


def test_coverage_is_the_share_of_products_that_anyone_was_shown() -> None:
    quality = quality_of(Falling(), asked(([1], 2), ([2, 3], 1)), N_PRODUCTS)

    assert quality.coverage == 12 / N_PRODUCTS


def test_among_equals_the_answer_comes_last() -> None:
    scores = np.array([[0, 5, 5, 5, 1]], dtype=np.float32)

    [ranks] = ranks_of(scores, [np.array([2])])

    assert ranks.tolist() == [3]


def test_what_was_seen_is_below_everything_and_the_scores_stay_the_ranker_s() -> None:
    scores = np.ones((2, 4), dtype=np.float32)

    left = without(scores, [np.array([2]), np.array([1, 3])])

    assert np.isneginf(left).tolist() == [[True, False, True, False], [True, True, False, True]]
    assert (scores == 1).all()


def test_intervals_hold_the_mean_and_narrow_with_more_questions() -> None:
    few = quality_of(Falling(), asked(*[([20], n) for n in (1, 11)] * 10), N_PRODUCTS)
    many = quality_of(Falling(), asked(*[([20], n) for n in (1, 11)] * 200), N_PRODUCTS)

    assert few.hr_interval[0] < 0.5 < few.hr_interval[1]
    assert np.ptp(many.hr_interval) < np.ptp(few.hr_interval)


def make_order(*answers: int) -> Questions:
    seen = np.array([20])
    return Questions(np.array([0]), (in_order(seen),), (np.array(answers),), (seen,))


def test_an_order_is_hit_by_any_of_its_products_and_found_by_their_share() -> None:
    quality = quality_of(Falling(), make_order(2, 11, 12, 13), N_PRODUCTS)

    assert quality.hr == 1
    assert quality.found == 1 / 4


def test_a_gain_is_whole_where_the_answers_come_first() -> None:
    assert quality_of(Falling(), make_order(1, 2, 3), N_PRODUCTS).ndcg == pytest.approx(1)
    assert quality_of(Falling(), make_order(*range(1, 15)), N_PRODUCTS).ndcg == pytest.approx(1)


def test_intervals_widen_where_few_visitors_are_asked_often() -> None:
    answers = tuple(np.array([n]) for n in (1, 11)) * 100
    seen = np.array([20])

    def width_of(visitors: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
        questions = Questions(visitors, (in_order(seen),) * 200, answers, (seen,) * 200)
        return float(np.ptp(quality_of(Falling(), questions, N_PRODUCTS).hr_interval))

    assert width_of(np.arange(200) % 10) > 2 * width_of(np.arange(200))
