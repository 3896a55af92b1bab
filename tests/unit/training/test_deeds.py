from __future__ import annotations

from stream.domain.trail import Kind
from tests.unit.training.deeds import at, cancelled, make_deeds, sold


def test_a_history_is_what_one_visitor_did_in_order_of_time() -> None:
    deeds = make_deeds(
        ("bob", "jam", 5, Kind.VIEW, 1),
        ("ann", "milk", 9, Kind.PURCHASE, 1),
        ("ann", "bread", 3, Kind.ADD, 1),
    )

    assert deeds.histories() == [
        (["bread", "milk"], [3, 9], [Kind.ADD, Kind.PURCHASE]),
        (["jam"], [5], [Kind.VIEW]),
    ]


def test_what_was_done_at_once_stays_in_its_order() -> None:
    deeds = make_deeds(*[("ann", product, 5, Kind.PURCHASE, 1) for product in "zyx"])

    assert deeds.histories()[0].product_ids == ["z", "y", "x"]


def test_an_order_that_was_cancelled_was_an_act_and_that_it_was_is_none() -> None:
    deeds = make_deeds(sold("milk", 0), sold("jam", 1), cancelled("milk", 0))

    assert [history.product_ids for history in deeds.histories()] == [["milk", "jam"]]


def test_other_data_has_another_hash() -> None:
    deeds = [make_deeds(sold("milk", 0)), make_deeds(sold("milk", 1)), make_deeds(sold("jam", 0))]
    deeds += [make_deeds(sold("milk", 0), droughts=(("milk", 0, at(day)),)) for day in (1, 2)]

    assert len({each.sha256 for each in deeds}) == 5
    assert make_deeds(sold("milk", 0)).sha256 == deeds[0].sha256
