from __future__ import annotations

from msgspec.structs import replace

from stream.domain.events import Item, OrderCancelled, OrderRefunded
from stream.domain.movements import movements_of
from tests.unit.builders import NOON_MS, make_order, orders_at


def test_line_says_where_its_units_leave_from() -> None:
    order = make_order(products=[Item("milk", location="Graz"), "bread"])

    assert [each.location for each in movements_of(order, orders_at(0))] == ["Graz", None]


def test_cancelled_units_are_for_sale_and_were_not_wanted_when_they_were_ordered() -> None:
    cancelled = replace(make_order(kind=OrderCancelled), ordered_at_ms=NOON_MS - 5)

    (movement,) = movements_of(cancelled, orders_at(0))

    assert (movement.units, movement.cause, movement.wanted_at_ms) == (1, "order", NOON_MS - 5)


def test_returned_units_are_for_sale_and_had_been_wanted() -> None:
    (movement,) = movements_of(make_order(kind=OrderRefunded), orders_at(0))

    assert (movement.units, movement.cause) == (1, "return")


def test_units_that_are_not_put_back_move_nothing() -> None:
    refunded = replace(make_order(kind=OrderRefunded), restocked=False)

    assert movements_of(refunded, orders_at(0)) == []
