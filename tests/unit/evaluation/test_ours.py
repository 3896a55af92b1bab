from __future__ import annotations

import numpy as np
import pytest
import torch

from stream.evaluation.histories import Histories, in_order
from stream.evaluation.ours import Ours
from stream.model_specs import MAX_ITEMS
from stream.models.acts import Acts
from stream.models.recommender import TrainedRecommender
from stream.models.served.recommender.network import SessionTransformer

HISTORIES = Histories(("a", "b", "c", "d"), ())
#: Knows d as its first product, b as its second, and no other.
VOCABULARY = ("d", "b")


def viewed(*items: int) -> Acts:
    return in_order(np.array(items, dtype=np.int64))


@pytest.fixture
def network() -> SessionTransformer:
    torch.manual_seed(3)
    made = SessionTransformer(
        len(VOCABULARY),
        length=MAX_ITEMS,
        width=8,
        n_blocks=1,
        n_heads=1,
        dropout=0.0,
        temperature=0.1,
        n_neighbours=1,
    )
    return made.eval()


@pytest.fixture
def ours(network: SessionTransformer) -> Ours:
    return Ours(TrainedRecommender(network, {}, VOCABULARY, {}), HISTORIES)


def test_scores_are_the_network_s_at_the_products_that_it_means(
    ours: Ours, network: SessionTransformer
) -> None:
    [scores] = ours.score([viewed(1, 4, 3, 2)])

    with torch.inference_mode():
        read = torch.tensor([[1, 2]]), torch.tensor([[1, 1]])
        [[d, b]] = network.score(*read).tolist()
    assert scores.tolist() == pytest.approx([-np.inf, -np.inf, b, -np.inf, d])


def test_no_more_is_read_than_is_served(ours: Ours) -> None:
    long = viewed(*([2, 4] * MAX_ITEMS))

    [of_all, of_newest] = ours.score([long, long.newest(MAX_ITEMS)])

    assert of_all.tolist() == of_newest.tolist()


def test_a_visitor_of_whom_nothing_is_known_is_scored_all_the_same(ours: Ours) -> None:
    [unknown, known] = ours.score([viewed(1, 3), viewed(2)])
    [alone] = ours.score([viewed(1, 3)])

    assert np.isfinite(unknown[[2, 4]]).all()
    assert unknown.tolist() == pytest.approx(alone.tolist(), abs=1e-5)
    assert known.tolist() != unknown.tolist()
