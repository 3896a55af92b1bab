from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stream.model_specs import MAX_ITEMS
from stream.models.acts import History, indexed
from stream.models.checkpoint import Checkpoint
from stream.models.fitting import Budget, Fitting
from stream.models.served.recommender.network import SessionTransformer
from stream.models.validation import Held, hold_out, ndcg, places_of
from stream.models.windows import Windows
from tests.integration.triton_fixtures import N_PRODUCTS, make_sequences

WALKS = [History.in_order(walk) for walk in make_sequences(n_visitors=40, length=16)]
ROWS, HELD = hold_out(
    indexed(WALKS, [f"p{n}" for n in range(N_PRODUCTS)]), np.random.default_rng(1)
)
#: Where it does not matter how much is learnt: a step takes a quarter of the time.
FEW = ROWS[:6]


def make_network() -> SessionTransformer:
    torch.manual_seed(1)
    return SessionTransformer(
        N_PRODUCTS,
        length=MAX_ITEMS,
        width=16,
        n_blocks=1,
        n_heads=2,
        dropout=0.1,
        temperature=0.1,
        n_neighbours=1,
    )


def make_fitting(network: SessionTransformer, checkpoint: Checkpoint | None = None) -> Fitting:
    return Fitting(network, Windows(FEW), HELD, seed=3, checkpoint=checkpoint)


def test_what_is_kept_did_best_on_validation() -> None:
    network = make_network()
    before = ndcg(places_of(network.eval().score, HELD))

    Fitting(network, Windows(ROWS), HELD, seed=3).run(Budget(120, 200))

    assert ndcg(places_of(network.score, HELD)) > before + 0.3


def test_a_training_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, killed, resumed = make_network(), make_network(), make_network()
    checkpoint, budget = Checkpoint(tmp_path / "training.pt", every_s=0), Budget(600, 170)

    def kill(_stage: str, share: float) -> None:
        if share > 0.6:
            raise KeyboardInterrupt

    make_fitting(whole).run(budget)
    with pytest.raises(KeyboardInterrupt):
        make_fitting(killed, checkpoint).run(budget, kill)
    resumed_at: list[float] = []
    fitting = make_fitting(resumed, checkpoint)
    took = fitting.run(budget, lambda _, share: resumed_at.append(share))

    assert took["n_steps"] == 170
    assert min(resumed_at) > 0.6
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_training_that_goes_on_with_no_time_left_keeps_what_it_has(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "training.pt", every_s=0)

    def kill(_stage: str, share: float) -> None:
        if share > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_fitting(make_network(), checkpoint).run(Budget(600, 1_000), kill)
    took = make_fitting(make_network(), checkpoint).run(Budget(600, 1))

    assert 1 < took["n_steps"] < 100


def test_it_ends_where_nothing_more_is_gained() -> None:
    network, few = make_network(), HELD.some(20)
    with torch.no_grad():
        network.popularity[1] = 1e9

    answered = Held(few.histories, torch.ones_like(few.answers))
    fitting = Fitting(network, Windows(FEW), answered, seed=1)
    took = fitting.run(Budget(600))

    assert 1_000 <= took["n_steps"] < 2_000


def test_time_that_is_up_ends_it_within_an_epoch_and_after_a_step() -> None:
    took = make_fitting(make_network()).run(Budget(0.0))

    assert took["n_steps"] == 1


def test_without_questions_the_last_average_is_kept() -> None:
    network = make_network()
    nobody = Held.of([])

    took = Fitting(network, Windows(FEW), nobody, seed=1).run(Budget(60, 5))

    assert took["n_steps"] == 5
    assert not network.training


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_budget_is_spent_by_time_or_by_steps(share: float) -> None:
    assert Budget(10, 100).spent(10 * share, 0) == share
    assert Budget(10, 100).spent(0, int(100 * share)) == share
