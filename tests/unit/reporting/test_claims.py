from __future__ import annotations

from itertools import permutations
from random import Random

import pytest
from msgspec.structs import replace

from stream.domain.events import RecommendationClicked, RecommendationShown
from stream.reporting.claims import LeftOut
from stream.reporting.period import HOUR_MS, Period, Sample
from tests.unit.builders import NOON_MS, make_view
from tests.unit.reporting.facts import (
    DAY,
    joined,
    make_click,
    make_display,
    make_recommendation,
    make_shown,
)

TIMES = [(2, None), (0, None), (1, None), (3, "a")]
Said = list[RecommendationShown | RecommendationClicked]


def test_shown_and_clicked_are_joined_to_the_recommendation_they_name() -> None:
    claims = joined(
        [make_shown("r1"), make_click("r1"), make_shown("r2")],
        [make_recommendation("r1"), make_recommendation("r2", variant="b", degraded=True)],
    )

    assert claims.displays == {
        "ann": [make_display(is_clicked=True), make_display("b", is_degraded=True)]
    }
    assert not claims.left_out.total()


def test_repeats_in_any_order_count_once() -> None:
    said: Said = [make_shown(), make_click(), make_click(product_id="tea")]
    once = joined(said, [make_recommendation()])
    chance = Random(3)

    for _ in range(20):
        again = chance.choices(said, k=6) + said
        chance.shuffle(again)
        many = joined(again, [make_recommendation()] * 3)
        assert (many.displays, many.left_out) == (once.displays, once.left_out)


def test_what_is_shown_again_was_shown_when_it_was_first() -> None:
    said = [make_shown(at_ms=NOON_MS + n, variant=variant) for n, variant in TIMES]

    for several in permutations(said):
        claims = joined(several, [make_recommendation()])
        assert claims.displays == {"ann": [make_display(shown_at_ms=NOON_MS)]}


def test_recommendation_that_was_not_shown_counts_for_nothing() -> None:
    claims = joined([make_shown("r1")], [make_recommendation("r1"), make_recommendation("r2")])

    assert claims.displays == {"ann": [make_display()]}


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (make_shown("elsewhere"), LeftOut.UNKNOWN),
        (make_click("elsewhere"), LeftOut.UNKNOWN),
        (make_shown(visitor_id="bea"), LeftOut.ANOTHER_VISITORS),
        (make_shown(variant="b"), LeftOut.OTHER_VARIANT),
        (make_click(variant="b"), LeftOut.OTHER_VARIANT),
    ],
)
def test_event_that_contradicts_its_recommendation_is_left_out_and_told(
    event: RecommendationShown | RecommendationClicked, why: LeftOut
) -> None:
    alone = joined([event, event], [make_recommendation()])
    beside = joined([make_shown(), event], [make_recommendation()])

    assert alone.displays == {}
    assert +alone.left_out == {why: 2}
    assert beside.displays == {"ann": [make_display()]}
    assert +beside.left_out == {why: 1}


def test_same_variant_or_none_is_no_contradiction() -> None:
    claims = joined(
        [make_shown(variant="a"), make_click(), make_shown("r2", variant="")],
        [make_recommendation(), make_recommendation("r2", variant="")],
    )

    assert claims.displays == {"ann": [make_display(is_clicked=True), make_display("")]}
    assert not claims.left_out.total()


def test_click_on_what_was_not_shown_is_left_out_and_told() -> None:
    claims = joined([make_click()], [make_recommendation()])

    assert claims.displays == {}
    assert +claims.left_out == {LeftOut.UNSHOWN: 1}


def test_click_on_another_product_is_none_and_told() -> None:
    claims = joined([make_shown(), make_click(product_id="axe")], [make_recommendation()])

    assert claims.displays == {"ann": [make_display()]}
    assert +claims.left_out == {LeftOut.FOREIGN_CLICK: 1}


@pytest.mark.parametrize(
    ("listed", "shown"),
    [
        ([()], ("milk", "tea", "jam")),
        ([("tea",)], ("tea",)),
        ([("tea",), ("axe", "milk")], ("milk", "tea")),
        ([(), ("tea",)], ("tea",)),
        ([("axe",)], ()),
    ],
)
def test_products_shown_are_those_listed_or_all(
    listed: list[tuple[str, ...]], shown: tuple[str, ...]
) -> None:
    events = [make_shown(products=products) for products in listed]

    claims = joined(events, [make_recommendation(products=("milk", "tea", "jam"))])

    assert claims.displays["ann"] == [make_display(products=shown)]


def test_product_that_was_clicked_was_shown() -> None:
    claims = joined([make_shown(products=["tea"]), make_click()], [make_recommendation()])

    assert claims.displays["ann"] == [make_display(is_clicked=True)]


def test_what_was_shown_in_the_period_counts_with_its_later_clicks() -> None:
    period = Period(HOUR_MS, since_ms=NOON_MS, until_ms=NOON_MS + 10)
    events: Said = [
        make_shown("early", at_ms=NOON_MS - 1),
        make_click("early", at_ms=NOON_MS - 1),
        make_shown("first", at_ms=NOON_MS),
        make_shown("first", at_ms=NOON_MS - 1),
        make_shown("last", at_ms=NOON_MS + 9),
        make_click("last", at_ms=NOON_MS + 1_000),
        make_shown("late", at_ms=NOON_MS + 10),
    ]

    recommendations = [make_recommendation(name) for name in ("early", "first", "last", "late")]
    claims = joined(events, recommendations, period=period)

    assert claims.displays["ann"] == [
        make_display(),
        make_display(shown_at_ms=NOON_MS + 9, is_clicked=True),
    ]
    assert not claims.left_out.total()


def test_more_than_may_be_held_leaves_out_visitors_and_never_a_part_of_one() -> None:
    visitors = [f"visitor-{n}" for n in range(400)]
    said: Said = [
        event(f"{visitor_id}-{n}", visitor_id=visitor_id)
        for n in range(5)
        for visitor_id in visitors
        for event in (make_shown, make_click)
    ]
    recommendations = [
        make_recommendation(f"{visitor_id}-{n}", visitor_id=visitor_id)
        for visitor_id in visitors
        for n in range(5)
    ]
    Random(5).shuffle(said)
    sample = Sample(600)

    claims = joined(said, recommendations, sample=sample)

    assert sample.one_in == 4
    assert 70 <= len(claims.displays) <= 120
    assert {len(shown) for shown in claims.displays.values()} == {5}
    assert all(display.is_clicked for shown in claims.displays.values() for display in shown)
    assert not claims.left_out.total()


def test_recommendation_is_not_the_larger_for_what_is_listed_and_clicked_in_it() -> None:
    events: Said = [make_shown(products=[f"p{n}" for n in range(400)])]
    events += [make_click(product_id=f"q{n}") for n in range(2_000)]

    claims = joined([*events, make_shown(products=["milk"])], [make_recommendation()])

    assert claims.left_out[LeftOut.FOREIGN_CLICK] == 500


def test_other_events_say_nothing_of_recommendations() -> None:
    claims = joined([make_shown()], [])
    claims.take(make_view())

    assert claims.n_simulated == 0
    assert joined([replace(make_shown(), simulated=True)], []).n_simulated == 1
    assert DAY.has_begun(0)
