"""What a planner would laugh at."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest
from msgspec.structs import replace

from stream.domain.calendar import DAY_MS, Calendar
from stream.domain.demand import empirical_quantiles
from stream.domain.events import (
    Delivery,
    StockAdjusted,
    StockLevelEvent,
    StockLevelSet,
    StockOrdered,
    StockReceived,
)
from stream.domain.outputs import StockAlert
from stream.domain.product_folding import apply_level, apply_movement
from stream.domain.products import (
    Product,
    available,
    demand_window,
    inbound,
    is_counted,
    observed,
    on_hand,
    reserved,
    with_alert,
)
from stream.domain.stock import StockPolicy, assess, message, steps
from tests.unit.builders import NOON_MS, TODAY, levels_at, make_level, make_movement
from tests.unit.domain.test_stock import POLICY, due, found, shelf, wanted

HOUR_MS = 3600 * 1000


def told(product: Product, *events: StockLevelEvent, first: int = 0) -> Product:
    for offset, event in enumerate(events, start=first):
        product = apply_level(product, event, levels_at(offset))
    return product


def at(location: str | None, event: StockLevelSet) -> StockLevelSet:
    return replace(event, location=location)


def ordered(units: int, at_ms: int, location: str | None = None) -> StockOrdered:
    return StockOrdered(
        event_id=f"o{at_ms}", occurred_at_ms=at_ms, product_id="milk", quantity=units,
        expected_at_ms=at_ms + 5 * DAY_MS, location=location,
    )  # fmt: skip


def received(units: int, at_ms: int, location: str | None = None) -> StockReceived:
    return StockReceived(
        event_id=f"r{at_ms}{location}", occurred_at_ms=at_ms, product_id="milk", quantity=units,
        location=location,
    )  # fmt: skip


def look(
    product: Product,
    day: int,
    *,
    daily: float = 2.0,
    hour: float = 12,
    policy: StockPolicy = POLICY,
) -> tuple[Product, list[StockAlert]]:
    now_ms = day * DAY_MS + int(hour * HOUR_MS)
    assessment = assess(product, wanted(daily), day, policy)
    said = []
    for each in steps(product, assessment, today=day, now_ms=now_ms, policy=policy):
        if each.state is not None and each.is_news:
            said.append(message(product, each.state, assessment, now_ms=now_ms))
            product = with_alert(product, each.state)
    return product, said


# --- Positions ---------------------------------------------------------------------------------


def test_places_that_orders_name_never_forget_a_count() -> None:
    product = told(Product("milk"), make_level(1000))

    for n in range(16):
        product = apply_movement(product, replace(make_movement(n), location=f"place-{n}"))

    assert is_counted(product)
    assert on_hand(product) == 1000 - 16


def test_shops_beyond_sixteen_do_not_uncount_the_others() -> None:
    names = [f"shop-{n:02}" for n in range(17)]
    counts = [
        at(name, make_level(10, event_id=name, occurred_at_ms=NOON_MS + n))
        for n, name in enumerate(names)
    ]
    product = told(Product("milk"), *counts)

    one_each = [received(1, NOON_MS + DAY_MS + n, name) for n, name in enumerate(names)]
    product = told(product, *one_each, first=100)

    assert is_counted(product)  # every one of 17 counts is forgotten, and 16 units are left of 187


def test_what_was_received_is_no_longer_on_the_way_when_another_location_is_counted() -> None:
    product = told(
        Product("milk"),
        at("A", make_level(10)),
        ordered(100, NOON_MS + 1),
        received(100, NOON_MS + 2),
        at("A", make_level(110, event_id="again", occurred_at_ms=NOON_MS + 3)),
    )

    assert inbound(product) == 0


def test_what_was_ordered_for_no_location_arrives_at_one() -> None:
    product = told(
        Product("milk"),
        at("A", make_level(10)),
        ordered(100, NOON_MS + 1),
        received(100, NOON_MS + 2, "A"),
    )

    assert inbound(product) == 0


def test_what_was_set_aside_at_no_location_ends_with_the_next_count() -> None:
    product = told(
        Product("milk"),
        at("A", make_level(10)),
        StockAdjusted(
            event_id="s", occurred_at_ms=NOON_MS + 1, product_id="milk", difference=0,
            reserved_difference=8,
        ),
        at("A", make_level(10, reserved=8, event_id="again", occurred_at_ms=NOON_MS + 3)),
    )  # fmt: skip

    assert (reserved(product), available(product)) == (8, 2)


def test_what_was_received_before_an_order_is_not_taken_off_it() -> None:
    product = told(
        Product("milk"), make_level(10), received(100, NOON_MS + 1), ordered(100, NOON_MS + DAY_MS)
    )

    assert inbound(product) == 100


def test_late_count_is_exact_for_what_is_set_aside_and_on_the_way() -> None:
    quarter = HOUR_MS // 4
    events: list[StockLevelEvent] = [make_level(1000)]
    for n in range(1, 41):
        at_ms = NOON_MS + n * quarter
        events += [
            StockAdjusted(
                event_id=f"s{n}", occurred_at_ms=at_ms, product_id="milk", difference=0,
                reserved_difference=1,
            ),
            received(1, at_ms + 1),
        ]  # fmt: skip
    late = make_level(
        1010, reserved=10, inbound=100, event_id="late", occurred_at_ms=NOON_MS + 10 * quarter + 2
    )

    product = told(Product("milk"), *events, late)

    assert (on_hand(product), reserved(product), inbound(product)) == (1040, 40, 70)


def test_store_that_begins_to_name_its_location_has_its_units_once() -> None:
    product = told(
        Product("milk"),
        make_level(100),
        at("main", make_level(100, event_id="named", occurred_at_ms=NOON_MS + DAY_MS)),
    )

    assert on_hand(product) == 100


# --- Snoozing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("units", [0, 3])
def test_delivery_in_the_year_9999_snoozes_nothing(units: int) -> None:
    product = shelf(units, deliveries=[Delivery(1000, 253_402_300_799_999)])

    _, (alert,) = look(product, TODAY)

    assert alert.status == "opened", alert.explanation


def test_delivery_behind_what_a_reorder_takes_snoozes_nothing() -> None:
    product = shelf(3, deliveries=[due(40, 27)])  # gone in two days, a reorder takes seven

    _, (alert,) = look(product, TODAY)

    assert alert.status == "opened", alert.explanation


# --- Decisions ---------------------------------------------------------------------------------


def test_risk_is_high_only_where_the_median_runs_out_with_deliveries() -> None:
    product = shelf(10, deliveries=[due(100, 3)])
    assessment = assess(product, wanted(2.0, spread=1.0), TODAY, POLICY)

    (taken,) = steps(product, assessment, today=TODAY, now_ms=NOON_MS, policy=POLICY)

    assert assessment.figures.stock_out_date_p50 == "2017-07-26"
    assert taken.state is not None
    assert taken.state.severity == "warning"


def test_delivery_beyond_the_horizon_counts_before_a_longer_lead_time() -> None:
    product = shelf(100, lead_time_days=60.0, deliveries=[due(200, 40)])

    figures = assess(product, wanted(2.0), TODAY, POLICY).figures

    # 100 last 50 days, 200 more arrive on day 40: nothing is short before day 150.
    assert figures.stock_out_date_p50 == "2017-10-29"


def test_what_is_too_late_is_ordered_again() -> None:
    product = shelf(3, deliveries=[due(100, -200)])

    assert assess(product, wanted(2.0), TODAY, POLICY).figures.suggested_quantity > 0


def test_more_promised_than_there_at_one_location_is_oversold() -> None:
    product = told(
        Product("milk"),
        at("A", make_level(2, reserved=10)),
        at("B", make_level(1000, event_id="b")),
    )

    assert found(product)["shortage"] == ("oversold", "high")


def test_oversold_in_all_becomes_less_severe_at_one_location() -> None:
    product = told(Product("milk"), at("A", make_level(0)))
    product = apply_movement(product, replace(make_movement(1, units=-5), location="A"))
    product, (first,) = look(product, TODAY)
    assert (first.kind, first.severity) == ("oversold", "critical")
    filled = at("B", make_level(500, event_id="b", occurred_at_ms=NOON_MS + HOUR_MS))
    product = told(product, filled, first=9)

    said = []
    for day in range(TODAY, TODAY + 6):
        for hour in (18, 23):
            product, news = look(product, day, hour=hour)
            said += news

    assert [each.severity for each in said if each.situation == "shortage"] == ["high"]
    # It came back once; it is told as back every day.
    assert [each.status for each in said if each.situation == "return"] == ["opened", "resolved"]


def test_spike_is_not_over_at_midnight() -> None:
    product = Product("milk")
    for day in range(30):
        sale = make_movement(day, units=-5, occurred_at_ms=NOON_MS - (30 - day) * DAY_MS)
        product = apply_movement(product, sale)
    product = told(product, make_level(10_000))
    product = apply_movement(product, make_movement(99, units=-100))
    product, alerts = look(product, TODAY, daily=5.0)
    assert [each.kind for each in alerts if each.situation == "demand"] == ["demand_spike"]

    _, said = look(product, TODAY + 1, daily=5.0, hour=0.1)

    assert [each.explanation for each in said if each.situation == "demand"] == []


@pytest.mark.parametrize("service_level", [0.5, 0.9])
def test_planner_can_redo_the_reorder_point(service_level: float) -> None:
    random, wrong = np.random.default_rng(1), []
    for mean in [0.2, 1.0, 3.0, 10.0] * 50:
        past = random.poisson(mean, 84).astype(np.float32)
        policy = StockPolicy(service_level=service_level, review_days=float(random.integers(0, 15)))
        product = shelf(10, lead_time_days=float(random.integers(0, 28)))
        told_ = assess(product, empirical_quantiles(past), TODAY, policy).figures
        days = told_.lead_time_days + told_.review_days
        redone = ceil(told_.daily_demand * days + told_.safety_stock - 1e-4)
        if redone != told_.reorder_point:
            wrong.append((told_.daily_demand, days, told_.safety_stock, told_.reorder_point))

    assert wrong[:3] == []


# --- Demand ------------------------------------------------------------------------------------


def test_what_sells_out_every_day_is_wanted() -> None:
    product = Product("bread")
    for day in range(14):
        at_ms = (TODAY + day) * DAY_MS
        count = make_level(20, event_id=f"m{day}", occurred_at_ms=at_ms + 6 * HOUR_MS)
        product = observed(apply_level(product, count, levels_at(day)), TODAY + day)
        sale = make_movement(day, units=-20, occurred_at_ms=at_ms + 12 * HOUR_MS)
        product = observed(apply_movement(product, sale), TODAY + day)

    cumulative = empirical_quantiles(demand_window(product, TODAY + 13))
    figures = assess(product, cumulative, TODAY + 13, POLICY).figures

    assert figures.daily_demand >= 20
    assert figures.suggested_quantity > 0


def test_what_flaps_within_a_day_forgets_no_drought() -> None:
    product = replace(Product("milk"), sold_out=tuple(range(TODAY - 54, TODAY - 22)))
    for day in (*range(30), *range(62, 84)):
        sale = make_movement(day, units=-5, occurred_at_ms=NOON_MS - (84 - day) * DAY_MS)
        product = apply_movement(product, sale)
    product = told(product, make_level(1))

    for n in range(16):
        gone = make_movement(100 + 2 * n, units=-1, occurred_at_ms=NOON_MS + 10 * n + 1)
        back = make_movement(101 + 2 * n, units=1, occurred_at_ms=NOON_MS + 10 * n + 5)
        product = observed(apply_movement(product, gone), TODAY)
        product = observed(apply_movement(product, back), TODAY)

    assert set(range(TODAY - 54, TODAY - 22)) <= set(product.sold_out)
    assert assess_mean(product) == pytest.approx(5.0)


def test_refilled_after_three_months_is_not_overstock() -> None:
    product = Product("milk")
    for day in range(60):
        sale = make_movement(day, units=-5, occurred_at_ms=NOON_MS - (60 - day) * DAY_MS)
        product = apply_movement(product, sale)
    product = observed(told(product, make_level(0)), TODAY)
    refill = make_level(50, event_id="refill", occurred_at_ms=NOON_MS + 85 * DAY_MS)
    product = observed(told(product, refill, first=1), TODAY + 85)

    cumulative = empirical_quantiles(demand_window(product, TODAY + 85))
    assessment = assess(product, cumulative, TODAY + 85, POLICY)
    taken = steps(
        product, assessment, today=TODAY + 85, now_ms=refill.occurred_at_ms, policy=POLICY
    )

    assert [each.state.kind for each in taken if each.state is not None] == []


def test_stock_is_not_dead_because_the_store_was_closed() -> None:
    calendar, product = Calendar(closed_days=range(TODAY + 1, TODAY + 90)), Product("ice")
    for day in range(30):
        sale = make_movement(day, units=-5, occurred_at_ms=NOON_MS - (30 - day) * DAY_MS)
        product = apply_movement(product, sale, calendar)
    product = apply_level(product, make_level(1000), levels_at(0), calendar)

    assessment = assess(product, wanted(5.0), TODAY + 90, POLICY, calendar=calendar)
    taken = steps(
        product, assessment, today=TODAY + 90, now_ms=NOON_MS + 90 * DAY_MS, policy=POLICY
    )

    assert "dead_stock" not in {each.state.kind for each in taken if each.state is not None}


def assess_mean(product: Product) -> float:
    window = demand_window(product, TODAY)
    return float(window[window >= 0].mean())


def test_one_event_without_a_clock_does_not_make_a_new_product_old() -> None:
    product = Product("milk")
    for day in range(5):
        sale = make_movement(day, units=-10, occurred_at_ms=NOON_MS - (5 - day) * DAY_MS)
        product = apply_movement(product, sale)
    undated = StockAdjusted(event_id="u", occurred_at_ms=0, product_id="milk", difference=0)

    assert assess_mean(told(product, undated)) == pytest.approx(10.0)
