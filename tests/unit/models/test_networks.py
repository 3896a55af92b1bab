from __future__ import annotations

import math

import pytest
import torch

from stream.model_specs import (
    FORECASTER,
    HISTORY_DAYS,
    HORIZON_DAYS,
    MAX_ITEMS,
    PAST_DAYS,
    QUANTILES,
)
from stream.models.forecaster import SETTINGS
from stream.models.quantile_fitting import pinball
from stream.models.served.forecaster.network import (
    NEW,
    OPEN,
    OWN_PAST,
    PRICE,
    DemandQuantiles,
    scale_of,
)
from stream.models.served.recommender.network import SessionTransformer

N_PRODUCTS = 100

Read = tuple[torch.Tensor, torch.Tensor]


def make_recommender(seed: int = 1, **reads: bool) -> SessionTransformer:
    torch.manual_seed(seed)
    network = SessionTransformer(
        N_PRODUCTS,
        length=MAX_ITEMS,
        width=16,
        n_blocks=2,
        n_heads=2,
        dropout=0.0,
        temperature=0.1,
        n_neighbours=4,
        **reads,
    )
    torch.nn.init.normal_(network.repeats)
    if network.kinds is not None:
        torch.nn.init.normal_(network.kinds.weight)
    return network.eval()


def make_sessions(*lengths: int) -> Read:
    """Return items and kinds of sessions of *lengths*."""
    draw = torch.Generator().manual_seed(1)
    shape = len(lengths), MAX_ITEMS
    items = torch.randint(1, N_PRODUCTS + 1, shape, generator=draw)
    kinds = torch.randint(1, 9, shape, generator=draw)
    for each in (items, kinds):
        for row, length in zip(each, lengths, strict=True):
            row[: MAX_ITEMS - length] = 0
    return items, kinds


@torch.inference_mode()
def test_the_fast_path_scores_like_the_whole_network() -> None:
    network, read = make_recommender(), make_sessions(50, 3, 17, 0)
    items = read[0]

    newest = network(*read)[:, -1]
    every = torch.arange(1, N_PRODUCTS + 1)
    expected = newest @ network.directions(every).T + network.popularity[1:]
    raised = network.repeat_strength(newest) * network.repeats
    for row, (indices, weights) in enumerate(zip(items, raised, strict=True)):
        for index, weight in zip(indices.tolist(), weights, strict=True):
            if index:
                expected[row, index - 1] += weight

    assert torch.allclose(network.score(*read), expected, atol=1e-4)


@torch.inference_mode()
def test_a_short_session_scores_the_same_in_any_company() -> None:
    network, read = make_recommender(), make_sessions(2, 50)

    alone, together = network.score(*(each[:1] for each in read)), network.score(*read)[:1]

    assert torch.allclose(alone, together, atol=1e-5)


@torch.inference_mode()
def test_a_position_does_not_see_what_comes_after() -> None:
    network, (items, kinds) = make_recommender(), make_sessions(50)
    changed = items.clone()
    changed[0, -1] = items[0, -1] % N_PRODUCTS + 1

    before = network(items, kinds)[:, :-1]

    assert torch.allclose(before, network(changed, kinds)[:, :-1], atol=1e-6)


@torch.inference_mode()
def test_what_was_done_with_a_product_changes_the_answer_where_it_is_read() -> None:
    items, kinds = make_sessions(20)
    other = (items, kinds % 8 + 1)
    blind, network = make_recommender(reads_kinds=False), make_recommender()

    assert not torch.allclose(network.score(items, kinds), network.score(*other))
    assert torch.equal(blind.score(items, kinds), blind.score(*other))


@torch.inference_mode()
def test_neighbours_of_the_newest_products_are_raised_and_the_newer_ones_the_more() -> None:
    network, (items, kinds) = make_recommender(), make_sessions(2)
    older, newer = (int(item) for item in items[0, -2:])
    network.neighbours[older, 0], network.nearness[older, 0] = 1, 0.5
    network.neighbours[newer, 0], network.nearness[newer, 0] = 2, 0.5
    without = network.score(items, kinds)

    network.neighbour_weight = 2.0
    raised = (network.score(items, kinds) - without)[0]

    assert raised[0].item() == pytest.approx(2 * math.log(1 + 100 * 0.5 * 0.8), rel=1e-4)
    assert raised[1].item() == pytest.approx(2 * math.log(1 + 100 * 0.5), rel=1e-4)
    assert not raised[2:].any()


@torch.inference_mode()
def test_a_neighbour_of_two_is_raised_once_by_both_together() -> None:
    network, (items, kinds) = make_recommender(), make_sessions(2)
    for item in items[0, -2:].tolist():
        network.neighbours[item, 0], network.nearness[item, 0] = 3, 0.5
    without = network.score(items, kinds)

    network.neighbour_weight = 1.0
    raised = (network.score(items, kinds) - without)[0]

    assert raised[2].item() == pytest.approx(math.log(1 + 100 * 0.5 * 1.8), rel=1e-4)


def test_scores_follow_the_weights_once_they_have_changed() -> None:
    network, read = make_recommender(), make_sessions(5)
    with torch.inference_mode():
        before = network.score(*read)

    network.load_state_dict(make_recommender(seed=2).state_dict())
    network.eval()

    with torch.inference_mode():
        assert not torch.allclose(network.score(*read), before)


def make_days(n_rows: int) -> torch.Tensor:
    """Return days of a shop that is always open, at usual prices."""
    days = torch.zeros(n_rows, HISTORY_DAYS + HORIZON_DAYS, 2)
    days[:, :, OPEN] = 1
    return days


def make_forecaster() -> DemandQuantiles:
    torch.manual_seed(1)
    return DemandQuantiles(**SETTINGS).eval()


@torch.inference_mode()
@pytest.mark.parametrize("scale", [0.0, 0.01, 1.0, 1e5])
def test_forecasts_never_fall_along_either_axis(scale: float) -> None:
    demand = torch.rand(64, PAST_DAYS, generator=torch.Generator().manual_seed(1)) * scale
    demand[:32, :-24] = -1

    cumulative = make_forecaster()(demand, torch.arange(64) % 7, make_days(64))

    assert cumulative.shape == (64, *FORECASTER.outputs[0].shape)
    assert bool((cumulative >= 0).all())
    assert bool((cumulative.diff(dim=1) >= 0).all())
    assert bool((cumulative.diff(dim=2) >= 0).all())


@torch.inference_mode()
def test_forecasts_of_each_step_never_fall_over_the_levels_and_need_not_rise_over_steps() -> None:
    torch.manual_seed(1)
    settings = {**SETTINGS, "history": 24, "past": 24, "horizon": 12, "season": 12, "cumulative": 0}
    network = DemandQuantiles(**settings).eval()
    demand = torch.rand(64, 24, generator=torch.Generator().manual_seed(1)) * 9

    each = network(demand, torch.arange(64) % 12, torch.ones(64, 36, 2))

    assert each.shape == (64, 12, len(QUANTILES))
    assert bool((each >= 0).all())
    assert bool((each.diff(dim=2) >= 0).all())
    assert bool((each.diff(dim=1) < 0).any())


@torch.inference_mode()
def test_what_was_unknown_says_nothing() -> None:
    network, phase = make_forecaster(), torch.zeros(2, dtype=torch.int64)
    demand = torch.full((2, PAST_DAYS), -1.0)
    demand[1] = -7.0
    demand[:, -20:] = 3.0

    one, other = network(demand, phase, make_days(2))

    assert torch.allclose(one, other)


@torch.inference_mode()
def test_what_is_told_to_have_sold_on_a_closed_day_says_nothing_of_the_days_read() -> None:
    days, demand = make_days(2), torch.full((2, PAST_DAYS), 3.0)
    days[:, -50, OPEN] = 0
    demand[0, HORIZON_DAYS - 50], demand[1, HORIZON_DAYS - 50] = 0.0, -1.0

    one, other = make_forecaster().learnt(demand, torch.zeros(2, dtype=torch.int64), days)

    assert torch.allclose(one, other, rtol=1e-5)


@torch.inference_mode()
def test_closed_days_ahead_add_nothing_also_to_a_calibrated_forecast() -> None:
    network, days = make_forecaster(), make_days(4)
    days[:, HISTORY_DAYS + 5, OPEN] = 0
    days[0, HISTORY_DAYS:, OPEN] = 0
    draw = torch.Generator().manual_seed(2)
    # Levels that differ from day to day, each a mixture of neighbours.
    network.levels.copy_(torch.softmax(9 * torch.rand(network.levels.shape, generator=draw), dim=2))
    demand = torch.rand(4, PAST_DAYS, generator=draw) * 5

    cumulative = network(demand, torch.zeros(4, dtype=torch.int64), days)

    assert not cumulative[0].any()
    assert torch.allclose(cumulative[1:, 5], cumulative[1:, 4], rtol=1e-5)
    assert bool((cumulative.diff(dim=1) >= 0).all())
    assert bool((cumulative.diff(dim=2) >= 0).all())


@torch.inference_mode()
def test_levels_of_new_products_count_as_far_as_little_is_known() -> None:
    plain, network, days = make_forecaster(), make_forecaster(), make_days(3)
    network.levels[NEW] = 0
    network.levels[NEW, :, -1] = 1  # each level is the last one
    demand, phase = torch.full((3, PAST_DAYS), -1.0), torch.zeros(3, dtype=torch.int64)
    demand[1, -HISTORY_DAYS // 2 :] = demand[2, -HISTORY_DAYS:] = 2.0

    before, after = plain(demand, phase, days), network(demand, phase, days)

    last = before[:, :, -1:]
    assert torch.allclose(after[0], last[0].expand_as(after[0]), rtol=1e-4)
    assert torch.allclose(after[1], (before[1] + last[1]) / 2, rtol=1e-4)
    assert torch.allclose(after[2], before[2], rtol=1e-4)


@torch.inference_mode()
def test_a_price_ahead_changes_the_days_that_have_it_as_much_as_was_learnt() -> None:
    """Drawn to the past is what would be without it: that had no such price."""
    network, days, phase = make_forecaster(), make_days(2), torch.zeros(2).long()
    days[1, HISTORY_DAYS + 10 :, PRICE] = -0.5
    torch.nn.init.constant_(network.elasticity.bias, -2.0)

    usual, cheap = network(torch.ones(2, PAST_DAYS), phase, days)

    learnt_usual, learnt_cheap = network.learnt(torch.ones(2, PAST_DAYS), phase, days)
    assert bool((cheap[-1] - cheap[9] > usual[-1] - usual[9]).all())
    assert torch.allclose(cheap - usual, learnt_cheap - learnt_usual, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_a_forecast_is_drawn_to_its_own_year_by_as_much_of_it_as_is_known() -> None:
    """Steady sales of 7 have no deviation: they are drawn to 7 a day, at each level."""
    network, days, phase = make_forecaster(), make_days(3), torch.zeros(3).long()
    days[:, HISTORY_DAYS + 6, OPEN] = 0
    demand = torch.full((3, PAST_DAYS), -1.0)
    demand[0, :-HISTORY_DAYS] = 7.0  # nothing is known of the days that are read one by one
    demand[1, -HISTORY_DAYS // 2 :] = 7.0
    n_open = days[0, HISTORY_DAYS:, OPEN].cumsum(dim=0)[:, None]

    learnt, drawn = network.learnt(demand, phase, days), network(demand, phase, days)

    for row, weight in enumerate((OWN_PAST, OWN_PAST / 2, 0.0)):
        expected = learnt[row] + weight * (7 * n_open - learnt[row])
        assert torch.allclose(drawn[row], expected, rtol=1e-4), row


@torch.inference_mode()
def test_own_past_is_as_wide_as_independent_days_of_its_deviation() -> None:
    demand = torch.zeros(1, PAST_DAYS)
    demand[:, ::2] = 20.0  # a mean of 10, a deviation of 10
    network, phase = make_forecaster(), torch.zeros(1).long()
    learnt = network.learnt(demand, phase, make_days(1))[0]

    own = learnt + (network(demand, phase, make_days(1))[0] - learnt) / OWN_PAST

    assert own[24, QUANTILES.index(0.5)] == pytest.approx(250, abs=0.1)
    assert own[24, QUANTILES.index(0.9)] == pytest.approx(250 + 1.28155 * 10 * 5, abs=0.1)
    assert own[0, 0] == 0  # no less, though 10 - 12.8 is


def test_the_scale_ignores_unknown_days() -> None:
    demand = torch.zeros((2, HISTORY_DAYS))
    demand[0, -10:] = 3.0

    assert scale_of(demand, demand / 3).tolist() == pytest.approx([3.1, 1.0])


def test_pinball_charges_a_high_quantile_for_demand_above_it() -> None:
    after = torch.full((1, HORIZON_DAYS), 10.0)
    below, above = (torch.full((1, HORIZON_DAYS, len(QUANTILES)), value) for value in (0.0, 20.0))

    assert pinball(below, after)[0, 0] == pytest.approx(5.0)
    assert pinball(above, after)[0, 0] == pytest.approx(5.0)
