from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

import pytest

from stream.domain.experiments import difference
from stream.reporting.arms import Arm, arms_of
from stream.reporting.claims import Display
from stream.reporting.comparisons import Comparison, NoVerdict, comparisons_of
from stream.reporting.period import HOUR_MS, Sample, Span
from stream.reporting.purchases import Purchases
from tests.unit.builders import NOON_MS, make_order
from tests.unit.reporting.facts import make_display

Shown = Mapping[str, Sequence[Display]]
DAY_MS = 24 * HOUR_MS
#: Products of a variant only: a purchase tells whose it is.
PRODUCTS = {"a": ["milk"], "b": ["tea"], "c": ["jam"]}


def shown(variant: str, *at_ms: int, is_clicked: bool = False) -> list[Display]:
    return [
        make_display(
            variant,
            shown_at_ms=NOON_MS + at,
            products=PRODUCTS[variant],
            is_clicked=is_clicked,
        )
        for at in at_ms
    ]


def crowd(variant: str, n_visitors: int, *at_ms: int) -> dict[str, list[Display]]:
    return {f"{variant}-{n}": shown(variant, *at_ms) for n in range(n_visitors)}


def found(displays: Shown, bought: Sequence[tuple[str, str, int]] = ()) -> list[Comparison]:
    """What is compared where visitors *bought* (visitor, product, when)."""
    return arms_and_comparisons(displays, bought)[1]


def arms_and_comparisons(
    displays: Shown, bought: Sequence[tuple[str, str, int]]
) -> tuple[list[Arm], list[Comparison]]:
    purchases = Purchases(displays, DAY_MS, Sample(1_000_000))
    for visitor_id, product_id, at in bought:
        order = make_order(
            products=[product_id],
            visitor_id=visitor_id,
            order_id=f"{visitor_id}-{at}",
            occurred_at_ms=NOON_MS + at,
        )
        purchases.take(order)
    arms = arms_of(purchases.displays, purchases.credits(purchases.displays))
    return arms, comparisons_of(arms, purchases)


def test_canary_of_yesterday_does_not_differ_for_being_shown_for_a_day_only() -> None:
    chance = Random(3)
    displays: dict[str, list[Display]] = {}
    bought: list[tuple[str, str, int]] = []
    for n in range(4_000):
        visitor_id, is_canary = f"v{n}", n % 10 == 0
        displays[visitor_id] = []
        for day in range(7):
            variant = "b" if is_canary and day == 6 else "a"
            at = day * DAY_MS + chance.randrange(HOUR_MS)
            displays[visitor_id] += shown(variant, at)
            if chance.random() < 0.02:
                bought.append((visitor_id, PRODUCTS[variant][0], at + 1))

    arms, [comparison] = arms_and_comparisons(displays, bought)

    whole = difference(arms[1].conversion, arms[0].conversion)
    assert whole is not None
    assert whole.amount < -0.1
    assert whole.differs is True
    assert (comparison.n_visitors, comparison.n_of_both) == (400, 0)
    assert 3_550 < comparison.n_others <= 3_600
    assert comparison.conversion is not None
    assert abs(comparison.conversion.amount) < 0.02
    assert comparison.conversion.differs is False


def test_span_is_from_the_later_first_display_to_the_earlier_last_one() -> None:
    displays = {**crowd("a", 12, 0, 10, 40), **crowd("b", 11, 10, 20, 50)}

    [comparison] = found(displays)

    assert comparison.span == Span(NOON_MS + 10, NOON_MS + 40 + 1)
    assert (comparison.variant, comparison.n_visitors, comparison.n_others) == ("b", 11, 12)


def test_only_what_was_shown_in_the_span_is_compared() -> None:
    displays = {
        **crowd("a", 12, 10, 20),
        **{f"early-{n}": shown("a", 0, is_clicked=True) for n in range(5)},
        **{f"b-{n}": [*shown("b", 10, 20), *shown("b", 30, is_clicked=True)] for n in range(11)},
    }

    arms, [comparison] = arms_and_comparisons(
        displays, [("early-0", "milk", 1), ("b-0", "tea", 15), ("b-1", "tea", 9)]
    )

    inside, _ = arms_and_comparisons(
        {**crowd("a", 12, 10, 20), **crowd("b", 11, 10, 20)}, [("b-0", "tea", 15)]
    )
    a, b = inside
    assert [arm.n_clicked for arm in arms] == [5, 11]
    assert comparison.click_through == difference(b.click_through, a.click_through)
    assert comparison.conversion == difference(b.conversion, a.conversion)


def test_visitors_of_both_in_the_span_are_left_out_and_counted() -> None:
    displays = {
        **crowd("a", 12, 0, 20),
        **crowd("b", 11, 0, 20),
        "before": [*shown("a", 0), *shown("c", 10)],
        "both": [*shown("a", 5), *shown("b", 15, is_clicked=True)],
        "late": [*shown("b", 5), *shown("b", 30, 31)],
    }

    of_b, of_c = found(displays, [("both", "tea", 16)])

    assert (of_b.n_visitors, of_b.n_others, of_b.n_of_both) == (12, 13, 1)
    assert of_b.click_through is not None
    assert of_b.conversion is not None
    assert (of_b.click_through.amount, of_b.conversion.amount) == (0, 0)
    assert (of_c.variant, of_c.n_of_both) == ("c", 0)


def test_purchase_after_the_span_is_credited_to_what_was_shown_in_it() -> None:
    promoted = make_display("b", shown_at_ms=NOON_MS + 20, products=["milk"])
    displays = {
        **crowd("a", 12, 0, 10),
        **crowd("b", 11, 0, 10, 20),
        "a-0": [*shown("a", 10), promoted],
    }

    arms, [comparison] = arms_and_comparisons(displays, [("a-0", "milk", 25)])

    assert {arm.variant: arm.n_buyers for arm in arms} == {"a": 0, "b": 1}
    assert comparison.conversion is not None
    assert comparison.conversion.amount == pytest.approx(-1 / 12)


def test_purchase_of_what_a_third_variant_has_shown_last_is_not_theirs() -> None:
    third = make_display("c", shown_at_ms=NOON_MS + 12, products=["tea"])
    displays = {**crowd("a", 12, 0, 20), **crowd("b", 11, 0, 20), "b-0": [*shown("b", 0), third]}

    of_b, _ = found(displays, [("b-0", "tea", 15)])

    assert of_b.conversion is not None
    assert of_b.conversion.amount == 0


def test_variants_one_after_the_other_are_not_compared() -> None:
    [comparison] = found({**crowd("a", 20, 0, 10), **crowd("b", 15, 11, 20)})

    assert comparison == Comparison(variant="b", span=None)
    assert comparison.no_verdict is NoVerdict.APART


def test_where_nobody_is_left_nothing_is_compared() -> None:
    everybody = {f"v-{n}": [*shown("a", 0, 20), *shown("b", 0, 20)] for n in range(30)}

    [comparison] = found(everybody)

    assert (comparison.n_visitors, comparison.n_others, comparison.n_of_both) == (0, 0, 30)
    assert (comparison.click_through, comparison.conversion) == (None, None)
    assert comparison.no_verdict is NoVerdict.NOBODY


@pytest.mark.parametrize(
    ("n_visitors", "has_interval", "why"),
    [(1, False, NoVerdict.FEW), (9, True, NoVerdict.FEW), (10, True, None)],
)
def test_few_visitors_have_no_verdict(
    n_visitors: int, has_interval: bool, why: NoVerdict | None
) -> None:
    [comparison] = found({**crowd("a", 50, 0, 10), **crowd("b", n_visitors, 0)})

    for each in (comparison.click_through, comparison.conversion):
        assert (each is not None) == has_interval
        assert each is None or (each.differs is None) == (why is not None)
    assert comparison.no_verdict is why


def test_one_variant_or_none_is_compared_with_nothing() -> None:
    assert found(crowd("a", 3, 0)) == []
    assert found({}) == []
