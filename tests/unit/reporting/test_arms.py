from __future__ import annotations

from stream.reporting.arms import arms_of
from stream.reporting.purchases import Credit
from tests.unit.reporting.facts import make_display


def test_variant_is_added_up_over_its_visitors() -> None:
    displays = {
        "ann": [make_display(is_clicked=True), make_display(is_degraded=True)],
        "bea": [make_display()],
    }
    bought = [
        Credit("ann", "a", "EUR", 0.1),
        Credit("ann", "a", "EUR", 0.2),
        Credit("ann", "a", "", 7.0),
        Credit("ann", "a", "EUR", None),
    ]

    [arm] = arms_of(displays, bought)

    assert (arm.n_visitors, arm.n_shown, arm.n_clicked, arm.n_degraded) == (2, 3, 1, 1)
    assert (arm.n_buyers, arm.conversion.share, arm.conversion.n_effective) == (1, 0.5, 2)
    assert arm.click_through.share == 1 / 3
    assert (arm.revenue, arm.n_unpriced) == ({"EUR": 0.3, "": 7.0}, 1)


def test_visitor_of_two_variants_is_one_of_each_with_what_each_showed() -> None:
    displays = {"ann": [make_display("a"), make_display("b", is_clicked=True), make_display("b")]}

    arms = arms_of(displays, [Credit("ann", "b", "", None)])

    assert [(arm.variant, arm.n_shown, arm.n_clicked, arm.n_buyers) for arm in arms] == [
        ("a", 1, 0, 0),
        ("b", 2, 1, 1),
    ]


def test_variant_of_most_visitors_is_the_first() -> None:
    displays = {
        "ann": [make_display("a")] * 5,
        "bea": [make_display("b")],
        "cea": [make_display("b")],
    }

    assert [arm.variant for arm in arms_of(displays, [])] == ["b", "a"]


def test_nothing_shown_has_no_variants() -> None:
    assert arms_of({}, []) == []
