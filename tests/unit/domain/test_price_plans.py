"""Plans of prices come to the same however they arrive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta, timezone
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from stream.domain.applied import Source
from stream.domain.calendar import DAY_MS, UTC_DAYS, Calendar
from stream.domain.events import PricePlanned
from stream.domain.price_plans import MAX_PLANS, PlannedPrice, Plans, planned_by, with_plan
from stream.domain.product_folding import apply_level
from stream.domain.products import Product
from stream.model_specs import HISTORY_DAYS
from tests.unit.builders import NOON_MS, TODAY, deliveries, levels_at, make_level, make_plan

Told = tuple[PricePlanned, Source]


def plan(
    first: int, until: int, price: float | None = 2.0, *, told: int = 0, offset: int = 0
) -> PlannedPrice:
    """Days are told from today on, and when it was told in ms from noon on."""
    return PlannedPrice(TODAY + first, TODAY + until, NOON_MS + told, 0, offset, price)


def laid(*plans: PlannedPrice) -> Plans:
    after: Plans = ()
    for each in plans:
        after = with_plan(after, each, UTC_DAYS)
    return after


def spans(plans: Plans) -> list[tuple[int, int, float | None]]:
    return [(each.first_day - TODAY, each.until_day - TODAY, each.price) for each in plans]


# --- What holds --------------------------------------------------------------------------------


def test_a_later_plan_holds_for_its_days_and_the_earlier_one_for_those_around_them() -> None:
    plans = laid(plan(1, 10, 2.0), plan(3, 5, 1.0, told=1))

    assert spans(plans) == [(1, 3, 2.0), (3, 5, 1.0), (5, 10, 2.0)]


def test_an_earlier_plan_heard_of_late_holds_where_no_later_one_does() -> None:
    plans = laid(plan(3, 5, 1.0, told=1), plan(8, 9, 1.5, told=1), plan(1, 10, 2.0))

    assert spans(plans) == [(1, 3, 2.0), (3, 5, 1.0), (5, 8, 2.0), (8, 9, 1.5), (9, 10, 2.0)]


def test_of_two_plans_told_at_one_time_the_later_record_holds() -> None:
    first, second = plan(1, 4, 2.0, offset=3), plan(1, 4, 1.0, offset=4)

    assert laid(first, second) == laid(second, first) == (second,)


def test_a_plan_without_a_price_withdraws_what_was_planned_for_its_days() -> None:
    plans = laid(plan(1, 10, 2.0), plan(4, 20, None, told=1))

    assert spans(plans) == [(1, 4, 2.0), (4, 20, None)]


def test_a_plan_told_before_it_was_withdrawn_stays_so_though_it_is_heard_of_later() -> None:
    withdrawn = plan(1, 10, None, told=1)

    assert laid(withdrawn, plan(1, 10, 2.0)) == (withdrawn,)


def test_days_are_the_store_s_own_and_one_planned_in_part_is_planned() -> None:
    event = make_plan(begins_at_ms=TODAY * DAY_MS + 1, ends_at_ms=(TODAY + 2) * DAY_MS)
    west = Calendar(timezone(timedelta(hours=-8)))

    here, there = planned_by(event, levels_at(0), UTC_DAYS), planned_by(event, levels_at(0), west)

    assert (here.first_day, here.until_day) == (TODAY, TODAY + 2)
    assert (there.first_day, there.until_day) == (TODAY - 1, TODAY + 2)


# --- Bounded memory ----------------------------------------------------------------------------


def test_days_that_no_forecast_reads_are_forgotten_when_something_is_planned() -> None:
    old, long = plan(-90, -85), plan(-80, 30, 3.0)

    plans = laid(replace(old, told_at_ms=0), replace(long, told_at_ms=0), plan(40, 50))
    later = with_plan(plans, plan(60, 70, told=20 * DAY_MS), UTC_DAYS)

    assert spans(plans) == [(-80, 30, 3.0), (40, 50, 2.0)]
    assert spans(later) == [(20 - HISTORY_DAYS + 1, 30, 3.0), (40, 50, 2.0), (60, 70, 2.0)]


def test_a_plan_for_what_is_long_past_changes_nothing() -> None:
    plans = laid(plan(1, 2))

    assert with_plan(plans, plan(-120, -100, told=90 * DAY_MS), UTC_DAYS) is plans


def test_no_more_plans_are_remembered_than_can_be_the_nearest_ones() -> None:
    plans = laid(*(plan(2 * n, 2 * n + 1) for n in range(MAX_PLANS + 9)))

    assert len(plans) == MAX_PLANS
    assert plans[0].first_day == TODAY


def test_a_list_of_prices_told_anew_each_night_pushes_out_nothing_that_a_forecast_reads() -> None:
    """Each night leaves a run of one day behind."""
    nights = range(-2 * HISTORY_DAYS, 1)
    plans = laid(*(plan(night, night + 28, 0.99, told=night * DAY_MS) for night in nights))

    assert spans(plans)[0] == (1 - HISTORY_DAYS, 2 - HISTORY_DAYS, 0.99)
    assert spans(plans)[-1] == (0, 28, 0.99)


# --- Any order, repeat and delay ---------------------------------------------------------------


@st.composite
def told(draw: st.DrawFn) -> PricePlanned:
    """A plan for days around today, told within two weeks of it."""
    told_at_ms = NOON_MS + draw(st.integers(-7, 7)) * DAY_MS
    begins_at_ms = NOON_MS + draw(st.integers(-100, 40)) * DAY_MS
    return make_plan(
        draw(st.none() | st.integers(1, 9)),
        event_id=f"plan-{draw(st.integers(0, 30))}",
        occurred_at_ms=told_at_ms,
        begins_at_ms=begins_at_ms,
        ends_at_ms=begins_at_ms + draw(st.integers(1, 30)) * DAY_MS,
    )


def folded(facts: Sequence[Told]) -> Product:
    product = Product("milk")
    for event, source in facts:
        product = apply_level(product, event, source)
    return product


def by_day(facts: Sequence[Told]) -> dict[int, float | None]:
    """The price last told for each day, worked out at once, of the days that may still be read."""
    once = {event.event_id: (event, source) for event, source in reversed(facts)}
    in_order = sorted(once.values(), key=lambda fact: (fact[0].occurred_at_ms, fact[1].offset))
    prices = dict[int, float | None]()
    latest = None
    for event, _ in in_order:
        days = range(event.begins_at_ms // DAY_MS, (event.ends_at_ms - 1) // DAY_MS + 1)
        if days[-1] > event.occurred_at_ms // DAY_MS - HISTORY_DAYS:
            latest = event.occurred_at_ms // DAY_MS
            prices.update(dict.fromkeys(days, event.price))
    return {day: price for day, price in prices.items() if latest and day > latest - HISTORY_DAYS}


@given(st.randoms(use_true_random=False), st.lists(told(), max_size=12))
def test_plans_are_those_of_an_offline_fold_in_any_order_with_any_repeat(
    chance: Random, events: list[PricePlanned]
) -> None:
    facts = [(event, levels_at(offset)) for offset, event in enumerate(events)]
    live = folded(deliveries(chance, facts))
    plans = live.plans

    assert live == folded(facts)
    assert all(one.until_day <= other.first_day for one, other in pairwise(plans))
    assert {
        day: each.price for each in plans for day in range(each.first_day, each.until_day)
    } == by_day(facts)


@given(st.permutations([0, 1, 2, 3, 4, 5]), st.lists(told(), min_size=6, max_size=6))
def test_plans_of_several_partitions_leave_no_trace_of_the_order_of_arrival(
    order: list[int], events: list[PricePlanned]
) -> None:
    facts = [
        (replace(event, event_id=f"plan-{n}"), levels_at(0, partition=n))
        for n, event in enumerate(events)
    ]

    assert folded([facts[n] for n in order]) == folded(facts)


# --- What else it says -------------------------------------------------------------------------


def test_a_plan_is_not_the_price_of_today_nor_a_sign_that_the_product_can_be_bought() -> None:
    product = folded([(make_plan(1.0), levels_at(0))])

    assert (product.price, product.known_since_day) == (None, None)
    assert product.updated_at_ms == NOON_MS
    counted = apply_level(product, make_level(9, price=2.5), levels_at(1))
    assert (counted.price, counted.plans) == (2.5, product.plans)


@pytest.mark.parametrize("ends_at_ms", [NOON_MS, NOON_MS - 1])
def test_a_plan_that_ends_before_it_begins_is_refused(ends_at_ms: int) -> None:
    with pytest.raises(ValueError, match="Expected `ends_at_ms` > `begins_at_ms`"):
        make_plan(begins_at_ms=NOON_MS, ends_at_ms=ends_at_ms)
