"""The columns of a trail hold what a list of acts would."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from stream.domain.applied import EVENTS_TOPIC, Source
from stream.domain.trail import Interaction, Kind, Trail, row_of

#: From one byte to more than MessagePack has a short form for.
PRODUCT_IDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=128)


@given(
    st.lists(st.tuples(PRODUCT_IDS | st.just("😀" * 128), st.integers(0, 5)), max_size=40),
    st.integers(1, 20),
)
def test_newest_acts_are_kept_in_event_order(acts: list[tuple[str, int]], capacity: int) -> None:
    trail, expected = Trail(), list[Interaction]()
    for offset, (product_id, at_ms) in enumerate(acts):
        row = row_of(Source(EVENTS_TOPIC, 0, 0, offset), at_ms, Kind.VIEW, 1)
        trail = trail.with_row(product_id, row, capacity)
        act = Interaction(at_ms, EVENTS_TOPIC, 0, offset, 0, product_id, Kind.VIEW)
        expected = sorted([*expected, act])[-capacity:]

    assert list(trail) == expected
    assert trail.products == tuple(act.product_id for act in expected)
    assert trail == Trail.of(expected)
    assert (len(trail), trail.is_whole) == (len(expected), True)


def test_trail_with_ids_that_are_none_is_not_whole() -> None:
    row = row_of(Source(EVENTS_TOPIC, 0, 0, 0), 0, Kind.VIEW, 1)

    for ids in ([3], ["tea", "milk"], "t"):
        assert not Trail(msgspec.Raw(msgspec.msgpack.encode(ids)), row).is_whole
    assert not Trail(msgspec.Raw(b"\x91\xa1\xff"), row).is_whole
