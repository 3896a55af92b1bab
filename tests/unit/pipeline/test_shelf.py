from __future__ import annotations

import pytest

from stream.codec import encode
from stream.domain.outputs import ProductState
from stream.pipeline.shelf import Shelf
from stream.telemetry import Telemetry
from tests.unit.builders import Record


def told(shelf: Shelf, **state: object) -> Shelf:
    value = encode(ProductState(product_id="milk", **{"sold_out": False, **state}))  # type: ignore[arg-type]
    shelf.apply([Record(value, b"milk")])
    return shelf


@pytest.mark.parametrize(("left", "is_gone"), [(2, True), (3, True), (4, False), (None, False)])
def test_nearly_sold_out_counts_as_sold_out_where_it_is_asked_for(
    left: int | None, is_gone: bool
) -> None:
    shelf = told(Shelf(Telemetry(), nearly_sold_out_units=3), available=left, units_7d=5)

    assert ("milk" in shelf.sold_out) is is_gone
    assert bool(shelf.trending) is not is_gone


def test_product_that_is_back_is_for_sale_again() -> None:
    shelf = told(Shelf(Telemetry()), sold_out=True, available=0)
    before = set(shelf.sold_out)

    told(shelf, available=9)

    assert (before, shelf.sold_out) == ({"milk"}, set())


def test_last_units_are_for_sale_unless_it_is_asked_otherwise() -> None:
    assert told(Shelf(Telemetry()), available=1).sold_out == set()


def test_overstock_is_known_for_as_long_as_it_is_told() -> None:
    shelf = told(Shelf(Telemetry()), overstocked=True, available=9_000)
    before = set(shelf.overstocked)

    told(shelf, available=90)

    assert (before, shelf.overstocked) == ({"milk"}, set())


def test_forgotten_product_is_not_overstocked() -> None:
    shelf = told(Shelf(Telemetry()), overstocked=True, available=9_000)

    shelf.apply([Record(None, b"milk")])

    assert shelf.overstocked == set()
