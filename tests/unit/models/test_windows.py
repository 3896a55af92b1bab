from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stream.domain.history import read
from stream.domain.sessions import DRAWN_TO
from stream.domain.trail import Kind
from stream.model_specs import MAX_ITEMS, PADDING_ID
from stream.models.acts import Acts, History, indexed
from stream.models.windows import N_TARGETS, Batch, Windows
from stream.pipeline.scoring import Vocabulary, encode_sessions


def make_acts(*moments: list[int], kind: Kind = Kind.VIEW, apart_ms: int = 60_000) -> Acts:
    """Return acts, those of one list at one time."""
    items = [item for moment in moments for item in moment]
    at_ms = [apart_ms * number for number, moment in enumerate(moments) for _ in moment]
    return Acts(np.array(items), np.array(at_ms), np.full(len(items), kind))


def steps_of(windows: Windows, seed: int = 1) -> list[tuple[list[int], list[int]]]:
    """Return what stands before each step of an epoch, and what it is asked for."""
    found = []
    for batch in windows.epoch((seed,)):
        for row, targets in zip(batch.items, batch.targets, strict=True):
            for place, wanted in enumerate(targets):
                if wanted[0] != PADDING_ID:
                    before = row[: place + 1]
                    found.append((before[before > 0].tolist(), wanted[wanted > 0].tolist()))
    return found


def test_each_act_is_asked_for_once_after_all_that_came_before() -> None:
    steps = steps_of(Windows([make_acts([1], [2], [3]), make_acts([7], [8])]))

    assert sorted(steps) == [([1], [2]), ([1, 2], [3]), ([7], [8])]


def test_after_an_order_the_whole_next_one_is_asked_for() -> None:
    orders = make_acts([1, 2], [3, 4, 5], [6], kind=Kind.PURCHASE)

    steps = {tuple(before): sorted(wanted) for before, wanted in steps_of(Windows([orders]))}

    assert steps == {(1, 2): [3, 4, 5], (1, 2, 3, 4, 5): [6]}


def test_an_order_that_goes_on_is_asked_for_the_rest_of_it() -> None:
    orders = make_acts([1], [2, 3, 4], kind=Kind.PURCHASE)

    steps = {tuple(before): sorted(wanted) for before, wanted in steps_of(Windows([orders]))}

    assert steps == {(1,): [2, 3, 4], (1, 2): [3, 4], (1, 2, 3): [4]}


def test_what_is_in_a_basket_yet_is_not_read_as_bought() -> None:
    orders = make_acts([1], [2, 3, 4], kind=Kind.PURCHASE)

    [batch] = Windows([orders]).epoch((1,))

    [kinds] = batch.kinds.tolist()
    assert kinds[0] == Kind.PURCHASE
    assert set(kinds[1:]) <= {Kind.VIEW, Kind.ADD}


def test_a_look_at_what_is_bought_within_the_window_is_left_out() -> None:
    acts = Acts(
        np.array([1, 2, 1, 3]),
        np.array([1, 2, 3, 4]),
        np.array([Kind.VIEW, Kind.VIEW, Kind.PURCHASE, Kind.VIEW]),
    )

    assert sorted(steps_of(Windows([acts]))) == [([2], [1]), ([2, 1], [3])]


def test_a_look_is_read_while_what_follows_it_is_not_bought_yet() -> None:
    draw = np.random.default_rng(3)
    looks = draw.integers(1, 30, 200)
    acts = Acts(np.append(looks, looks), np.arange(400), np.repeat([Kind.VIEW, Kind.PURCHASE], 200))

    steps = steps_of(Windows([acts]))

    assert any(before[-3:] == looks[97:100].tolist() for before, _ in steps)


def test_of_a_large_order_some_are_asked_for_and_others_next_time() -> None:
    orders = make_acts([1], [*range(2, 40)], [99], kind=Kind.PURCHASE)

    asked = [
        wanted
        for seed in range(9)
        for before, wanted in steps_of(Windows([orders]), seed)
        if before == [1]
    ]

    assert all(len(set(wanted)) == N_TARGETS for wanted in asked)
    assert len({item for wanted in asked for item in wanted}) > 2 * N_TARGETS


def test_a_long_history_is_read_whole_and_cut_elsewhere_each_epoch() -> None:
    long = make_acts(*([item] for item in range(1, 140)))
    windows = Windows([long])

    cuts = set()
    for seed in range(5):
        steps = steps_of(windows, seed)
        assert Counter(item for _, wanted in steps for item in wanted) == Counter(range(2, 140))
        assert all(len(before) <= MAX_ITEMS for before, _ in steps)
        assert all(before == [*range(before[0], before[-1] + 1)] for before, _ in steps)
        cuts.add(tuple(sorted(before[0] for before, _ in steps if len(before) == 1)))
    assert len(cuts) > 1


def test_an_epoch_is_the_same_by_its_seed() -> None:
    windows = Windows([make_acts(*([item] for item in range(1, 80)), [3, 4])] * 3)

    one, same, other = (list(windows.epoch(seed)) for seed in ((1, 1), (1, 1), (1, 2)))

    assert all(map(torch.equal, joined(one), joined(same)))
    assert not all(map(torch.equal, joined(one), joined(other)))


def joined(batches: list[Batch]) -> list[torch.Tensor]:
    return [each.flatten() for batch in batches for each in batch]


def test_batches_hold_no_more_than_they_may_and_little_padding() -> None:
    draw = np.random.default_rng(3)
    rows = [
        make_acts(*([1 + n % 9] for n in range(length))) for length in draw.integers(2, 60, 400)
    ]

    batches = list(Windows(rows).epoch((1,)))

    assert all(batch.items.numel() <= 1_024 for batch in batches)
    there = sum(int((batch.items > 0).sum()) for batch in batches)
    assert there > 0.9 * sum(batch.items.numel() for batch in batches)


def test_who_never_came_back_teaches_no_step() -> None:
    assert Windows([make_acts([1, 2, 3]), make_acts([4])]).n_steps == 0
    assert Windows([]).n_steps == 0
    assert Windows([make_acts([1, 2, 3], [4])]).n_steps == 1


@pytest.mark.parametrize("rows", [[], [make_acts([4])]])
def test_nothing_to_learn_is_an_epoch_without_windows(rows: list[Acts]) -> None:
    assert list(Windows(rows).epoch((1,))) == []


@given(st.lists(st.tuples(st.integers(1, 6), st.sampled_from([*DRAWN_TO])), max_size=MAX_ITEMS))
def test_a_window_reads_what_a_worker_would_send(acts: list[tuple[int, Kind]]) -> None:
    products, kinds = [str(item) for item, _ in acts], [kind for _, kind in acts]
    known = ["3", "1", "2", "5"]

    learnt = indexed([History(products, range(len(acts)), kinds)], known)
    sent = encode_sessions([read(products, kinds)], Vocabulary.of("1", known))

    for batch in Windows(learnt).epoch((1,)):
        assert batch.items[0].tolist() == sent["items"][0, -batch.items.shape[1] :].tolist()
        assert not sent["items"][0, : -batch.items.shape[1]].any()
