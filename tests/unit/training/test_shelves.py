"""A shelf's facts, by the hour since noon; what is sold and received is told in any order."""

from __future__ import annotations

from itertools import count
from random import Random
from typing import Any

import pytest

from stream.domain.events import (
    PositionFact,
    StockAdjusted,
    StockLevelSet,
    StockMovement,
    StockOrdered,
    StockReceived,
)
from stream.training.shelves import NEVER_MS, Shelves
from tests.unit.builders import NOON_MS, levels_at, make_movement

Fact = PositionFact | StockMovement
HOUR_MS = 3_600_000
_ordinals = count()


def at(hour: int) -> int:
    return NOON_MS + hour * HOUR_MS


def told(kind: type[PositionFact], hour: int, **more: Any) -> PositionFact:
    event_id, product_id = f"told-{next(_ordinals)}", more.pop("product_id", "milk")
    return kind(event_id=event_id, occurred_at_ms=at(hour), product_id=product_id, **more)


def counted(hour: int, on_hand: int, **more: Any) -> PositionFact:
    return told(StockLevelSet, hour, on_hand=on_hand, **more)


def sale(hour: int, units: int = 1, product_id: str = "milk") -> StockMovement:
    return make_movement(units=-units, occurred_at_ms=at(hour), product_id=product_id)


def droughts(*facts: Fact) -> list[tuple[str, int, int]]:
    shelves = Shelves()
    for offset, fact in enumerate(facts):
        if isinstance(fact, StockMovement):
            shelves.moved(fact, levels_at(offset))
        else:
            shelves.told(fact, levels_at(offset))
    found = shelves.droughts()
    columns = found.products.tolist(), found.since_ms.tolist(), found.until_ms.tolist()
    return [*zip(*columns, strict=True)]


def test_a_drought_is_from_the_last_unit_that_went_to_the_first_that_came() -> None:
    facts = counted(0, 2), sale(1), sale(5), told(StockReceived, 9, quantity=1)

    assert droughts(*facts) == [("milk", at(5), at(9))]


def test_a_drought_may_last_and_begin_with_a_count() -> None:
    assert droughts(counted(0, 3), counted(4, 0)) == [("milk", at(4), NEVER_MS)]


def test_a_product_that_was_never_counted_is_never_sold_out() -> None:
    assert droughts(sale(1, 5), told(StockReceived, 2, quantity=3), sale(3, 9)) == []
    assert droughts() == []


def test_what_is_set_aside_cannot_be_sold() -> None:
    held = counted(0, 5, reserved=3), sale(1, 2), counted(2, 3)
    released = told(StockAdjusted, 4, difference=0, reserved_difference=-1)

    assert droughts(*held, released) == [("milk", at(1), at(4))]


def test_what_is_lost_is_gone_and_what_is_only_ordered_is_not_there() -> None:
    lost = told(StockAdjusted, 2, difference=-4)

    assert droughts(counted(0, 4), lost, told(StockOrdered, 3, quantity=9)) == [
        ("milk", at(2), NEVER_MS)
    ]


def test_a_product_is_sold_out_where_it_is_so_at_all_its_locations() -> None:
    counts = counted(0, 2, location="Graz"), counted(0, 1, location="Wien")
    from_graz = told(StockAdjusted, 3, difference=-2, location="Graz")
    from_wien = told(StockAdjusted, 5, difference=-1, location="Wien")

    assert droughts(*counts, from_graz, from_wien) == [("milk", at(5), NEVER_MS)]


def test_what_happens_at_once_is_no_drought() -> None:
    facts = counted(0, 1), sale(2), told(StockReceived, 2, quantity=5)

    assert droughts(*facts) == []


def test_a_count_holds_as_of_when_it_was_made() -> None:
    late = counted(20, 0, as_of_ms=at(2))

    assert droughts(counted(0, 5), told(StockReceived, 4, quantity=1), late) == [
        ("milk", at(2), at(4))
    ]


def test_of_two_counts_of_one_moment_the_later_record_holds() -> None:
    assert droughts(counted(0, 5), counted(1, 3), counted(1, 0)) == [("milk", at(1), NEVER_MS)]
    assert droughts(counted(0, 5), counted(1, 0), counted(1, 3)) == []


@pytest.mark.parametrize("seed", range(5))
def test_the_order_in_which_topics_are_read_leaves_no_trace(seed: int) -> None:
    of_milk = counted(0, 3), sale(1, 3), told(StockReceived, 3, quantity=2), sale(6, 2)
    of_jam = counted(2, 1, product_id="jam"), sale(4, product_id="jam")
    facts: list[Fact] = [*of_milk, *of_jam, sale(5, 7, product_id="never counted")]

    Random(seed).shuffle(facts)

    assert sorted(droughts(*facts)) == [
        ("jam", at(4), NEVER_MS),
        ("milk", at(1), at(3)),
        ("milk", at(6), NEVER_MS),
    ]
