from __future__ import annotations

from stream.planning.totals import totals_of
from tests.unit.planning.alerts import make_alert


def test_product_with_several_alerts_counts_once_with_the_most_at_risk() -> None:
    totals = totals_of(
        [
            make_alert("milk", "demand_spike", at_risk=2.5),
            make_alert("milk", "out_of_stock", at_risk=4.0),
            make_alert("milk", "back_in_stock", at_risk=0.0),
            make_alert("tea", at_risk=0.5),
        ]
    )

    assert (totals.n_products, totals.n_priced, totals.at_risk_per_day) == (2, 2, 4.5)


def test_product_without_a_price_is_in_no_sum() -> None:
    totals = totals_of(
        [
            make_alert("milk", at_risk=None),
            make_alert("tea", "out_of_stock", at_risk=None),
            make_alert("tea", "demand_spike", at_risk=0.0),
        ]
    )

    assert (totals.n_products, totals.n_priced, totals.at_risk_per_day) == (2, 1, 0.0)


def test_cents_add_up() -> None:
    assert totals_of([make_alert(f"p{n}", at_risk=0.1) for n in range(10)]).at_risk_per_day == 1.0


def test_kinds_are_counted_in_one_order() -> None:
    kinds = totals_of(
        [make_alert("a", "overstock"), make_alert("b", "oversold"), make_alert("c", "overstock")]
    ).by_kind

    assert list(kinds.items()) == [("oversold", 1), ("overstock", 2)]


def test_no_alerts_come_to_nothing() -> None:
    assert totals_of([]) == ({}, 0, 0, 0.0)
