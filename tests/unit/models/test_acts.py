from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.domain.history import read
from stream.domain.trail import Kind
from stream.models.acts import NEVER, Acts, History, indexed, merged
from stream.models.validation import padded
from stream.pipeline.scoring import Vocabulary, encode_sessions

NOTHING = Acts(*(np.empty(0, dtype=np.int64) for _ in Acts._fields))
DRAWN_TO = [Kind.VIEW, Kind.CLICK, Kind.ADD, Kind.PURCHASE]


def make_acts(items: list[int], kinds: list[Kind]) -> Acts:
    return Acts(np.array(items), np.arange(len(items)), np.array(kinds, dtype=np.int64))


def test_moments_begin_where_the_time_is_another() -> None:
    acts = Acts(np.arange(1, 6), np.array([0, 0, 7, 9, 9]), np.ones(5, np.int64))

    assert acts.begins.tolist() == [0, 2, 3]
    assert acts.first(0).begins.tolist() == []


def test_where_a_look_was_bought_is_known() -> None:
    acts = make_acts([1, 2, 1, 1], [Kind.VIEW, Kind.VIEW, Kind.PURCHASE, Kind.VIEW])

    assert acts.bought_at().tolist() == [2, NEVER, NEVER, NEVER]


def test_times_and_kinds_go_with_their_products() -> None:
    history = History(["a", "x", "b"], [10, 20, 30], [Kind.VIEW, Kind.ADD, Kind.PURCHASE])

    [acts] = indexed([history, History.in_order(["x"])], ["b", "a"])

    assert [column.tolist() for column in acts] == [[2, 1], [10, 30], [Kind.VIEW, Kind.PURCHASE]]


@pytest.mark.parametrize("items", [[], [0, 0]])
def test_who_did_nothing_that_is_known_has_no_acts(items: list[int]) -> None:
    assert len(merged(make_acts(items, [Kind.VIEW] * len(items))).items) == 0


@given(st.lists(st.tuples(st.integers(1, 6), st.sampled_from(DRAWN_TO)), max_size=40))
def test_training_reads_what_workers_send(acts: list[tuple[int, Kind]]) -> None:
    products, kinds = [str(item) for item, _ in acts], [kind for _, kind in acts]
    known = ["3", "1", "2", "5"]

    sent = encode_sessions([read(products, kinds)], Vocabulary.of("1", known))
    learnt = padded(indexed([History(products, range(len(acts)), kinds)], known) or [NOTHING])

    assert learnt[0].tolist() == sent["items"].tolist()
    assert learnt[1].tolist() == sent["kinds"].tolist()
