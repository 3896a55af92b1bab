from __future__ import annotations

import pytest
import torch

from stream.model_specs import FORECASTER, HISTORY_DAYS, HORIZON_DAYS, MAX_ITEMS, QUANTILES
from stream.models.forecaster import SETTINGS, pinball
from stream.models.served.forecaster.network import DemandQuantiles, scale_of
from stream.models.served.recommender.network import SessionTransformer

N_PRODUCTS = 100


def make_recommender() -> SessionTransformer:
    torch.manual_seed(1)
    network = SessionTransformer(
        N_PRODUCTS,
        length=MAX_ITEMS,
        width=16,
        n_blocks=2,
        n_heads=2,
        dropout=0.0,
        temperature=0.1,
        n_neighbours=4,
    )
    torch.nn.init.normal_(network.repeats)
    return network.eval()


def make_sessions(*lengths: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(1)
    items = torch.randint(1, N_PRODUCTS + 1, (len(lengths), MAX_ITEMS), generator=draw)
    for row, length in zip(items, lengths, strict=True):
        row[: MAX_ITEMS - length] = 0
    return items


@torch.inference_mode()
def test_the_fast_path_scores_like_the_whole_network() -> None:
    network, items = make_recommender(), make_sessions(50, 3, 17, 0)

    newest = network(items)[:, -1]
    every = torch.arange(1, N_PRODUCTS + 1)
    expected = newest @ network.directions(every).T + network.popularity[1:]
    raised = network.repeat_strength(newest) * network.repeats
    for row, (indices, weights) in enumerate(zip(items, raised, strict=True)):
        for index, weight in zip(indices.tolist(), weights, strict=True):
            if index:
                expected[row, index - 1] += weight

    assert torch.allclose(network.score(items), expected, atol=1e-5)


@torch.inference_mode()
def test_a_short_session_scores_the_same_in_any_company() -> None:
    network, items = make_recommender(), make_sessions(2, 50)

    alone, together = network.score(items[:1]), network.score(items)[:1]

    assert torch.allclose(alone, together, atol=1e-5)


@torch.inference_mode()
def test_a_position_does_not_see_what_comes_after() -> None:
    network, items = make_recommender(), make_sessions(50)
    changed = items.clone()
    changed[0, -1] = items[0, -1] % N_PRODUCTS + 1

    assert torch.allclose(network(items)[:, :-1], network(changed)[:, :-1], atol=1e-6)


def make_forecaster() -> DemandQuantiles:
    torch.manual_seed(1)
    return DemandQuantiles(**SETTINGS).eval()


@torch.inference_mode()
@pytest.mark.parametrize("scale", [0.0, 0.01, 1.0, 1e5])
def test_forecasts_never_fall_along_either_axis(scale: float) -> None:
    demand = torch.rand(64, HISTORY_DAYS, generator=torch.Generator().manual_seed(1)) * scale
    demand[:32, :60] = -1

    cumulative = make_forecaster()(demand, torch.arange(64) % 7)

    assert cumulative.shape == (64, *FORECASTER.outputs[0].shape)
    assert bool((cumulative >= 0).all())
    assert bool((cumulative.diff(dim=1) >= 0).all())
    assert bool((cumulative.diff(dim=2) >= 0).all())


def test_the_scale_ignores_unknown_days() -> None:
    demand = torch.full((2, HISTORY_DAYS), -1.0)
    demand[0, -10:] = 3.0

    assert scale_of(demand).tolist() == pytest.approx([3.1, 1.0])


def test_pinball_charges_a_high_quantile_for_demand_above_it() -> None:
    after = torch.full((1, HORIZON_DAYS), 10.0)
    below, above = (torch.full((1, HORIZON_DAYS, len(QUANTILES)), value) for value in (0.0, 20.0))

    assert pinball(below, after)[0, 0] == pytest.approx(5.0)
    assert pinball(above, after)[0, 0] == pytest.approx(5.0)
