from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from stream.model_specs import HISTORY_DAYS, MODELS, QUANTILES
from stream.models.acts import History, indexed
from stream.models.fitting import Budget
from stream.models.forecaster import empirical_quantiles, train_forecaster
from stream.models.progress import Pace, silent
from stream.models.recommender import train_recommender, vocabulary_of
from stream.models.train import train_all
from tests.integration.triton_fixtures import make_histories, make_history


def test_the_vocabulary_is_ordered_by_sales_then_id() -> None:
    sequences = [[f"p{i:02}" for i in range(70)], ["p69", "p69", "rare"]]

    product_ids = vocabulary_of(sequences, 1, 100)

    assert product_ids[:3] == ("p69", "p00", "p01")


def test_too_few_products_are_refused_with_expected_and_got() -> None:
    with pytest.raises(ValueError, match="at least 64 products with 5 sales, got 0"):
        vocabulary_of([["a", "b"]], 5, 100)


def test_unknown_products_are_left_out_and_runs_are_one_entry() -> None:
    histories = [History.in_order(each) for each in (["a", "a", "x", "a", "b"], ["x"])]

    [row] = indexed(histories, ["a", "b"])

    assert row.items.tolist() == [1, 2]
    assert row.at_ms.tolist() == [3, 4]


def test_the_recommender_learns_what_comes_next() -> None:
    trained = train_recommender(make_histories(), min_count=2, budget=Budget(60, 60))

    assert trained.metrics["hr_at_10"] > 0.5
    assert trained.metrics["hr_at_10"] > 2 * trained.metrics["hr_at_10_popularity"]


def test_the_same_seed_trains_the_same_network() -> None:
    one, other = (train_forecaster(make_history(), seed=3, max_steps=12) for _ in range(2))

    for first, second in zip(one.network.parameters(), other.network.parameters(), strict=True):
        assert torch.equal(first, second)


def test_too_few_days_are_refused_with_expected_and_got() -> None:
    with pytest.raises(ValueError, match="at least 70 days of demand, got 60"):
        train_forecaster(make_history(n_days=60))


def test_empirical_quantiles_of_steady_demand_are_its_multiples() -> None:
    demand: NDArray[np.float32] = np.full((1, HISTORY_DAYS), 2.0, dtype=np.float32)

    answer = empirical_quantiles(demand)

    assert answer[0, :, 0].tolist() == [2.0 * day for day in range(1, 29)]
    assert answer.shape[2] == len(QUANTILES)


def test_a_budget_bounds_the_steps_and_the_share_ends_at_one() -> None:
    told: list[float] = []

    shares = list(Pace("x", 50, 60.0, lambda _stage, share: told.append(share)))

    assert len(shares) == 50
    assert shares == sorted(shares)
    assert told[0] == 0.0
    assert told[-1] == 1.0


def test_no_time_still_trains_one_step() -> None:
    assert list(Pace("x", 1000, 0.0, silent)) == [0.0]


def test_ample_time_leaves_the_shares_to_the_steps() -> None:
    assert list(Pace("x", 4, 60.0, silent)) == [0.0, 0.25, 0.5, 0.75]


def test_a_failed_training_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="days of demand"):
        train_all(
            make_histories(),
            make_history(n_days=30),
            tmp_path / "models",
            budget_s=0.1,
            min_count=2,
        )

    assert list(tmp_path.iterdir()) == []


def test_a_repository_is_replaced_whole(tmp_path: Path) -> None:
    repository = tmp_path / "models"
    repository.mkdir()
    (repository / "old").touch()

    report = train_all(make_histories(), make_history(), repository, budget_s=0.1, min_count=2)

    assert [path.name for path in tmp_path.iterdir()] == ["models"]
    assert {path.name for path in repository.iterdir()} == {
        ".changing",
        "report.json",
        *(spec.name for spec in MODELS),
    }
    stored = json.loads((repository / "report.json").read_text())
    assert stored["data"] == report.data
