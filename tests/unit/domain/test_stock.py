from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from numpy.typing import NDArray

from stream.domain.calendar import DAY_MS
from stream.domain.events import Delivery, StockReceived
from stream.domain.outputs import AlertKind, Situation, StockAlert
from stream.domain.product_folding import apply_level, apply_movement
from stream.domain.products import Product, observed, with_alert
from stream.domain.stock import Assessment, Forecast, StockPolicy, assess, message, steps
from stream.model_specs import HORIZON_DAYS, QUANTILES
from tests.unit.builders import NOON_MS, TODAY, levels_at, make_level, make_movement

POLICY = StockPolicy()
HOUR_MS = 3600 * 1000


def wanted(daily: float, *, spread: float = 0.0) -> NDArray[np.float32]:
    """A forecast of *daily* units a day; each quantile beyond the median adds *spread* a day."""
    ahead = np.arange(1, HORIZON_DAYS + 1, dtype=np.float32)[:, None]
    quantiles = np.array([daily + spread * (level - 0.5) * 10 for level in QUANTILES], np.float32)
    return np.asarray(ahead * quantiles, np.float32)


def shelf(
    units: int,
    *,
    sold: int = 5,
    reserved: int = 0,
    inbound: int = 0,
    price: float | None = 2.5,
    lead_time_days: float | None = 7.0,
    deliveries: Sequence[Delivery] = (),
    pack_size: int | None = None,
    minimum_order: int | None = None,
) -> Product:
    """A product with *units* on hand, *sold* before they were counted."""
    sale = make_movement(units=-sold, occurred_at_ms=NOON_MS - 1)
    product = apply_movement(Product("milk"), sale) if sold else Product("milk")
    level = make_level(
        max(0, units),
        reserved=reserved,
        inbound=inbound,
        price=price,
        lead_time_days=lead_time_days,
    )
    level = replace(
        level, deliveries=tuple(deliveries), pack_size=pack_size, minimum_order=minimum_order
    )
    product = apply_level(product, level, levels_at(0))
    return apply_movement(product, make_movement(1, units=units)) if units < 0 else product


def assessed(units: int, *, daily: float = 2.0, spread: float = 0.0) -> Assessment:
    return assess(shelf(units), wanted(daily, spread=spread), TODAY, POLICY)


def due(units: int, days: float) -> Delivery:
    """*units* that are expected in so many days."""
    return Delivery(units, int(NOON_MS + days * DAY_MS))


def found(
    product: Product, *, daily: float = 2.0, spread: float = 0.0, policy: StockPolicy = POLICY
) -> dict[Situation, tuple[AlertKind, str]]:
    """What is opened about *product* that nothing was said of yet."""
    assessment = assess(product, wanted(daily, spread=spread), TODAY, policy)
    taken = steps(product, assessment, today=TODAY, now_ms=NOON_MS, policy=policy)
    return {
        each.state.situation: (each.state.kind, each.state.severity)
        for each in taken
        if each.state is not None and each.is_news
    }


def shortage(product: Product, *, daily: float = 2.0, spread: float = 0.0) -> tuple[str, str]:
    return found(product, daily=daily, spread=spread).get("shortage", ("none", "info"))


# --- Figures -----------------------------------------------------------------------------------


def test_figures_are_those_a_planner_works_out_by_hand() -> None:
    product = shelf(10, inbound=6)

    figures = assess(product, wanted(2, spread=0.25), TODAY, POLICY).figures

    assert figures.daily_demand == 2.0
    assert figures.reorder_point == 24  # 8 days of lead time and review, 3 a day at P90
    assert figures.safety_stock == 24 - 2 * 8
    assert figures.days_of_cover_p50 == 5.0
    assert figures.days_of_cover_p90 == pytest.approx(10 / 3, abs=0.01)
    assert figures.stock_out_date_p50 == "2017-06-06"
    assert figures.stock_out_date_p90 == "2017-06-05"
    assert figures.suggested_quantity == 24 + 2 * 14 - 10 - 6
    assert figures.revenue_at_risk_per_day == 5.0


def test_units_that_arrived_are_not_on_the_way_as_well() -> None:
    delivery = StockReceived(
        event_id="d", occurred_at_ms=NOON_MS + 1, product_id="milk", quantity=6
    )
    product = apply_level(shelf(10, inbound=6), delivery, levels_at(1))

    figures = assess(product, wanted(2), TODAY, POLICY).figures

    assert (figures.on_hand, figures.inbound) == (16, 0)
    assert figures.suggested_quantity == 2 * (8 + 14) - 16


def test_reorder_point_is_demand_over_the_lead_time_and_safety_stock() -> None:
    figures = assessed(40, daily=3.0, spread=0.2).figures

    expected = figures.daily_demand * (figures.lead_time_days + figures.review_days)
    assert figures.reorder_point == pytest.approx(expected + figures.safety_stock, abs=1)


def test_lead_time_beyond_the_forecast_goes_on_at_its_average() -> None:
    product = shelf(100, lead_time_days=59.0)

    figures = assess(product, wanted(2), TODAY, POLICY).figures

    assert figures.reorder_point == 120
    assert figures.days_of_cover_p90 == 50.0


def test_product_without_a_lead_time_has_the_policys() -> None:
    figures = assess(shelf(10, lead_time_days=None), wanted(2), TODAY, POLICY).figures

    assert figures.lead_time_days == POLICY.lead_time_days


def test_no_price_no_revenue() -> None:
    assert (
        assess(shelf(1, price=None), wanted(2), TODAY, POLICY).figures.revenue_at_risk_per_day
        is None
    )


def test_shelf_that_nobody_buys_from_lasts_for_ever() -> None:
    product = shelf(1, sold=0)

    assessment = assess(product, wanted(0), TODAY, POLICY)

    assert shortage(product, daily=0) == ("none", "info")
    assert assessment.stock_out_day is None
    assert assessment.figures.days_of_cover_p90 is None
    assert assessment.figures.stock_out_date_p90 is None


@pytest.mark.parametrize("level", [0.0, 1.0, 1.5])
def test_impossible_service_level_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="expected above 0 and below 1"):
        StockPolicy(service_level=level)


def test_higher_service_level_takes_more_safety_stock() -> None:
    points = [
        assess(shelf(10), wanted(2, spread=0.25), TODAY, StockPolicy(service_level=level)).figures
        for level in (0.5, 0.8, 0.95, 0.99)
    ]

    stocks = [figures.safety_stock for figures in points]
    assert stocks == sorted(stocks)
    assert stocks[0] == 0
    assert stocks[-1] > stocks[-2]


@pytest.mark.parametrize(
    ("pack_size", "minimum_order", "ordered"),
    [(None, None, 28 + 16 - 10), (12, None, 36), (12, 48, 48), (None, 50, 50), (12, 50, 60)],
)
def test_order_is_whole_packs_and_at_least_the_minimum(
    pack_size: int | None, minimum_order: int | None, ordered: int
) -> None:
    product = shelf(10, pack_size=pack_size, minimum_order=minimum_order)

    assert assess(product, wanted(2), TODAY, POLICY).figures.suggested_quantity == ordered


def test_nothing_is_suggested_above_the_reorder_point() -> None:
    assert assessed(16).figures.suggested_quantity == 28
    assert assessed(17).figures.suggested_quantity == 0


def test_delivery_that_comes_in_time_moves_the_stock_out_date() -> None:
    in_time = assess(shelf(6, deliveries=[due(20, 2)]), wanted(2), TODAY, POLICY)
    too_late = assess(shelf(6, deliveries=[due(20, 5)]), wanted(2), TODAY, POLICY)

    assert in_time.figures.days_of_cover_p50 == 3
    assert in_time.figures.stock_out_date_p50 == "2017-06-14"
    assert too_late.figures.stock_out_date_p50 == "2017-06-04"
    assert in_time.figures.next_delivery_date == "2017-06-03"


def test_delivery_that_is_late_is_on_the_way_but_not_counted_on() -> None:
    figures = assess(shelf(6, deliveries=[due(20, -2)]), wanted(2), TODAY, POLICY).figures

    assert figures.inbound == 20
    assert figures.stock_out_date_p50 == "2017-06-04"


def test_delivery_without_a_date_takes_a_lead_time() -> None:
    soon = assess(shelf(16, inbound=20, lead_time_days=2), wanted(2), TODAY, POLICY)
    late = assess(shelf(16, inbound=20, lead_time_days=12), wanted(2), TODAY, POLICY)

    assert (soon.lasts_days, late.lasts_days) == (18, 8)


# --- What is the matter ------------------------------------------------------------------------


def test_shelf_is_at_risk_when_even_a_reorder_comes_too_late() -> None:
    assert shortage(shelf(13)) == ("stockout_risk", "high")


def test_shelf_at_the_reorder_point_is_low() -> None:
    assert shortage(shelf(14)) == ("low_stock", "warning")
    assert shortage(shelf(16)) == ("low_stock", "warning")
    assert shortage(shelf(17)) == ("none", "info")


def test_risk_is_high_when_even_the_median_runs_out() -> None:
    assert shortage(shelf(13), spread=0.25) == ("stockout_risk", "high")
    assert shortage(shelf(20), spread=0.25) == ("stockout_risk", "warning")


def test_empty_shelf_is_out_of_stock() -> None:
    assert shortage(shelf(0)) == ("out_of_stock", "critical")
    assert assessed(0).stock_out_day == TODAY


def test_more_promised_than_there_is_oversold() -> None:
    assert shortage(shelf(-4)) == ("oversold", "critical")
    assert shortage(shelf(5, reserved=9)) == ("oversold", "critical")


def test_one_location_below_nothing_is_oversold_though_others_have_some() -> None:
    product = apply_movement(Product("milk"), make_movement(occurred_at_ms=NOON_MS - 1))
    for offset, location in enumerate(("Graz", "Wien")):
        level = replace(make_level(50, event_id=location), location=location)
        product = apply_level(product, level, levels_at(offset))
    product = apply_movement(product, replace(make_movement(1, units=-53), location="Graz"))

    assert shortage(product) == ("oversold", "high")
    told = opened(product)["shortage"]
    assert [(each.location, each.on_hand) for each in told.figures.locations] == [
        ("Graz", -3),
        ("Wien", 50),
    ]
    assert "Graz -3" in told.explanation


def test_units_set_aside_do_not_fill_a_shelf() -> None:
    assert shortage(shelf(9, reserved=9)) == ("out_of_stock", "critical")


def test_uncounted_product_is_never_short_nor_too_much() -> None:
    product = apply_movement(Product("milk"), make_movement(units=-9))

    assert found(product) == {}


def test_empty_shelf_of_a_product_nobody_wants_is_not_short() -> None:
    assert found(shelf(0, sold=0), daily=0) == {}


def test_day_far_beyond_every_ordinary_one_is_a_spike() -> None:
    assert found(selling([2] * 28, 30))["demand"] == ("demand_spike", "warning")
    assert "demand" not in found(selling([2] * 28, 9))


def test_spike_that_the_shelf_cannot_meet_is_high() -> None:
    assert found(selling([2] * 28, 30), daily=200)["demand"] == ("demand_spike", "high")


def test_day_like_one_of_the_last_four_weeks_is_no_spike() -> None:
    assert "demand" not in found(selling([2] * 20 + [30] + [2] * 7, 30))


def test_few_units_are_no_spike_however_few_are_usual() -> None:
    assert "demand" not in found(selling([0] * 28, 9))
    assert "demand" in found(selling([0] * 28, 10))


def test_new_product_has_no_usual_day_yet() -> None:
    assert "demand" not in found(selling([2] * 10, 90))


def test_more_than_anybody_buys_for_months_is_overstock() -> None:
    assert found(selling([2] * 28, 2, units=241))["excess"] == ("overstock", "info")
    assert "excess" not in found(selling([2] * 28, 2, units=240))


def test_new_product_is_never_too_much() -> None:
    assert "excess" not in found(selling([2] * 20, 2, units=4000))


def test_what_could_be_sold_for_months_and_was_not_is_dead() -> None:
    assert found(selling([1] + [0] * 59, 0, units=9), daily=0.1)["excess"][0] == "dead_stock"
    assert "excess" not in found(selling([1] + [0] * 58, 0, units=9), daily=0.1)


def test_what_could_not_be_sold_is_not_dead() -> None:
    gone = tuple(range(TODAY - 60, TODAY - 19))
    product = replace(selling([1] + [0] * 60, 0, units=9), sold_out=gone)

    assert "excess" not in found(product, daily=0.1)


def selling(daily: Sequence[int], today: int, *, units: int = 100) -> Product:
    """A product that sold so many units on the days before today, and then was counted."""
    product = Product("milk", known_since_day=TODAY - len(daily))
    for ago, sold in enumerate(reversed([*daily, today])):
        at_ms = NOON_MS - ago * DAY_MS - 1
        if sold:
            movement = make_movement(1000 - ago, units=-sold, occurred_at_ms=at_ms, partition=ago)
            product = apply_movement(product, movement)
    product = apply_level(product, make_level(units), levels_at(0))
    return observed(product, TODAY)


@given(st.integers(-5, 200), st.integers(0, 40), st.integers(0, 10))
def test_shortage_and_reorder_point_agree(units: int, daily_tenths: int, spread: int) -> None:
    daily = daily_tenths / 10
    spread_a_day = daily * spread / 50
    figures = assessed(units, daily=daily, spread=spread_a_day).figures
    kind, _ = shortage(shelf(units), daily=daily, spread=spread_a_day)

    assert figures.suggested_quantity >= 0
    assert figures.safety_stock >= -1  # whole units
    if kind in ("stockout_risk", "low_stock"):
        assert units <= figures.reorder_point
    if units > figures.reorder_point:
        assert kind == "none"


# --- Messages ----------------------------------------------------------------------------------


class Planner:
    """Who is told of a product: its states and messages, one look after another."""

    def __init__(self, policy: StockPolicy = POLICY) -> None:
        self.policy = policy
        self.product = shelf(0)
        self.again_ms: list[int] = []

    def look(
        self, product: Product, *, daily: float = 2.0, spread: float = 0.0, hours: float = 0
    ) -> list[StockAlert]:
        """Look at *product* so many hours after noon; return what is said."""
        now_ms, today = int(NOON_MS + hours * HOUR_MS), TODAY + int(hours + 12) // 24
        self.product = replace(product, alerts=self.product.alerts)
        assessment = assess(self.product, wanted(daily, spread=spread), today, self.policy)
        taken = steps(self.product, assessment, today=today, now_ms=now_ms, policy=self.policy)
        said = [
            message(self.product, each.state, assessment, now_ms=now_ms)
            for each in taken
            if each.state is not None and each.is_news
        ]
        for each in taken:
            if each.state is not None:
                self.product = with_alert(self.product, each.state)
        self.again_ms = [each.again_ms for each in taken if each.again_ms is not None]
        return said

    def short(self, units: int, *, hours: float = 0, daily: float = 2.0) -> StockAlert | None:
        """Look at a shelf with so many units; return what is said of a shortage."""
        said = self.look(shelf(units), hours=hours, daily=daily)
        return next((alert for alert in said if alert.situation == "shortage"), None)


def opened(product: Product) -> dict[Situation, StockAlert]:
    return {alert.situation: alert for alert in Planner().look(product)}


def test_short_shelf_opens_one_alert() -> None:
    planner = Planner()

    alert, again = planner.short(10), planner.short(10, hours=1)

    assert alert is not None
    assert (alert.status, alert.kind, alert.revision) == ("opened", "stockout_risk", 1)
    assert again is None


def test_full_shelf_is_not_worth_a_word() -> None:
    assert Planner().look(shelf(90)) == []


def test_message_published_before_a_crash_is_made_again_as_it_was() -> None:
    assert Planner().short(10) == Planner().short(10)


def test_stock_out_date_that_moves_a_little_is_not_told() -> None:
    planner = Planner()
    planner.short(13)

    assert planner.short(9, hours=1) is None


def test_stock_out_date_that_moves_far_is_told() -> None:
    planner = Planner()
    planner.short(13)

    alert = planner.short(7, hours=1)

    assert alert is not None
    assert (alert.status, alert.revision) == ("updated", 2)


def test_small_steps_are_told_when_they_add_up() -> None:
    planner = Planner()
    planner.short(13)

    told = [planner.short(units, hours=hours) for hours, units in enumerate((12, 10, 8, 7, 5), 1)]

    assert [alert is not None for alert in told] == [False, False, True, False, False]


def test_what_gets_worse_is_the_same_alert_told_at_once() -> None:
    planner = Planner()

    told = [planner.short(units) for units in (16, 13, 0, -1)]

    assert [alert and (alert.kind, alert.status) for alert in told] == [
        ("low_stock", "opened"),
        ("stockout_risk", "updated"),
        ("out_of_stock", "updated"),
        ("oversold", "updated"),
    ]
    assert len({alert.alert_id for alert in told if alert}) == 1


def test_empty_shelf_is_told_once_however_many_days_pass() -> None:
    planner = Planner()
    planner.short(0)

    assert [planner.short(0, hours=24 * day) for day in range(1, 30)] == [None] * 29


def test_shelf_filled_a_little_stays_short() -> None:
    planner = Planner()
    planner.short(0)

    alert = planner.short(17, hours=1)

    assert alert is not None
    assert (alert.status, alert.kind) == ("updated", "low_stock")


def test_what_eases_waits_until_the_last_message_is_old_enough() -> None:
    planner = Planner()
    planner.short(0)

    soon = planner.short(90, hours=0.1)
    (again_ms,) = planner.again_ms
    later = planner.short(90, hours=(again_ms - NOON_MS) / HOUR_MS)

    assert soon is None
    assert again_ms == NOON_MS + POLICY.min_interval_ms
    assert later is not None
    assert later.status == "resolved"


def test_full_shelf_ends_the_alert_with_the_units_it_has() -> None:
    planner = Planner()
    first = planner.short(0)

    alert = planner.short(90, hours=72)

    assert first is not None
    assert alert is not None
    assert (alert.status, alert.alert_id) == ("resolved", first.alert_id)
    assert alert.explanation.startswith("90 on hand")
    assert alert.figures.revenue_at_risk_per_day == 0


def test_next_shortage_is_another_alert() -> None:
    planner = Planner()
    first = planner.short(0)
    planner.short(90, hours=1)

    second = planner.short(0, hours=200)

    assert first is not None
    assert second is not None
    assert second.status == "opened"
    assert second.alert_id != first.alert_id


def test_shortage_of_a_product_that_was_forgotten_meanwhile_is_another_alert() -> None:
    level = make_level(0, occurred_at_ms=NOON_MS + 100 * DAY_MS)
    sale = make_movement(1, occurred_at_ms=NOON_MS + 100 * DAY_MS)
    known_anew = apply_movement(apply_level(Product("milk"), level, levels_at(9)), sale)

    first = opened(shelf(0))["shortage"]
    second = Planner().look(known_anew, hours=2400)[0]

    assert second.kind == "out_of_stock"
    assert second.alert_id != first.alert_id


def test_id_does_not_depend_on_when_the_shortage_was_noticed() -> None:
    first, again = Planner().short(0), Planner().short(0, hours=24)

    assert first is not None
    assert again is not None
    assert again.alert_id == first.alert_id


def test_severity_that_eases_is_not_told() -> None:
    planner = Planner()
    planner.look(shelf(13), spread=0.25)

    assert planner.look(shelf(14), spread=0.25, hours=1) == []


def test_empty_shelf_that_nobody_misses_any_more_ends_the_alert() -> None:
    planner = Planner()
    planner.short(0)

    (alert,) = planner.look(shelf(0, sold=0), daily=0, hours=1)

    assert alert.status == "resolved"
    assert "no longer missed" in alert.explanation


def test_shelf_that_can_be_sold_from_again_is_told_for_a_day() -> None:
    planner = Planner()
    planner.short(0)

    back = planner.look(shelf(90), hours=1)
    planner.look(shelf(90), hours=11)
    (over,) = planner.look(shelf(90), hours=30)

    assert [(each.kind, each.status) for each in back] == [
        ("out_of_stock", "resolved"),
        ("back_in_stock", "opened"),
    ]
    assert (over.kind, over.status) == ("back_in_stock", "resolved")


def test_shelf_that_was_merely_low_is_not_back() -> None:
    planner = Planner()
    planner.short(16)

    assert [alert.kind for alert in planner.look(shelf(90), hours=1)] == ["low_stock"]


# --- Snoozed -----------------------------------------------------------------------------------


def test_shortage_that_a_delivery_will_end_is_snoozed_until_it_is_due() -> None:
    planner = Planner()
    first = planner.short(0)

    (alert,) = planner.look(shelf(0, deliveries=[due(90, 3)]), hours=1)

    assert first is not None
    assert (alert.status, alert.snoozed_until) == ("snoozed", "2017-06-04")
    assert alert.alert_id == first.alert_id
    assert alert.explanation.endswith("nothing to decide until 2017-06-04.")
    assert planner.look(shelf(0, deliveries=[due(90, 3)]), hours=30) == []


def test_snoozed_shortage_wakes_when_the_delivery_is_late() -> None:
    planner = Planner()
    promised = shelf(0, deliveries=[due(90, 3)])
    (first,) = planner.look(promised)

    quiet = [planner.look(promised, hours=24 * day) for day in (1, 2, 3)]
    (woken,) = planner.look(promised, hours=24 * 4)

    assert (first.status, first.revision) == ("snoozed", 1)
    assert quiet == [[], [], []]
    assert (woken.status, woken.snoozed_until) == ("updated", None)


def test_shortage_is_not_over_before_the_delivery_that_ends_it_has_come() -> None:
    """Also where it is due before the shelf is empty: if it is late, it is the same shortage."""
    planner = Planner()
    (first,) = planner.look(shelf(10))
    promised = shelf(10, deliveries=[due(90, 1)])

    (snoozed,) = planner.look(promised, hours=1)
    quiet = planner.look(promised, hours=24)
    (woken,) = planner.look(promised, hours=48)
    (over,) = planner.look(shelf(100), hours=50)

    told = (first, snoozed, woken, over)
    assert [each.status for each in told] == ["opened", "snoozed", "updated", "resolved"]
    assert snoozed.snoozed_until == "2017-06-02"
    assert "time to order" not in snoozed.explanation
    assert quiet == []
    assert {each.alert_id for each in told} == {first.alert_id}


def test_shortage_that_runs_dry_before_its_delivery_sleeps_on_when_that_is_due() -> None:
    """On the day before and on the day itself the delivery counts as in time."""
    planner = Planner()
    promised = shelf(2, deliveries=[due(90, 3)])
    (first,) = planner.look(promised)

    quiet = [planner.look(promised, hours=24 * day) for day in (1, 2, 3)]

    assert (first.kind, first.status) == ("stockout_risk", "snoozed")
    assert quiet == [[], [], []]


def test_delivery_that_is_not_enough_lets_nobody_sleep() -> None:
    (alert,) = Planner().look(shelf(0, deliveries=[due(10, 3)]))

    assert alert.status == "opened"


def test_shortages_are_not_snoozed_where_the_policy_forbids_it() -> None:
    policy = StockPolicy(snooze_on_order=False)

    (alert,) = Planner(policy).look(shelf(0, deliveries=[due(90, 3)]))

    assert alert.status == "opened"


def test_dead_stock_is_over_when_one_is_sold_and_it_is_not_too_much() -> None:
    """11 units of 0.1 a day last 110 days: less than is too much, more than ends an overstock."""
    planner = Planner()
    (dead,) = planner.look(selling([1] + [0] * 59, 0, units=12), daily=0.1)

    (over,) = planner.look(selling([1] + [0] * 59, 1, units=11), daily=0.1, hours=1)

    assert (dead.kind, dead.status) == ("dead_stock", "opened")
    assert (over.alert_id, over.status) == (dead.alert_id, "resolved")


# --- Storms ------------------------------------------------------------------------------------


@given(st.lists(st.integers(-20, 120), max_size=400))
def test_flash_sale_is_a_few_messages_however_many_orders_it_is(shelves: list[int]) -> None:
    """Units of a shelf, second by second, as wild as can be: sold, cancelled, counted, received."""
    planner = Planner()

    said = [
        alert
        for second, units in enumerate(shelves)
        for alert in planner.look(shelf(units), hours=second / 3600)
    ]

    # Four kinds of shortage, each worse one at once; nothing that eases within the interval.
    assert len([alert for alert in said if alert.situation == "shortage"]) <= 4
    assert len([alert for alert in said if alert.situation == "return"]) <= 1


@given(st.lists(st.integers(-20, 120), max_size=300), st.integers(1, 30))
def test_storm_that_lasts_is_a_few_messages_an_interval(
    shelves: list[int], every_minutes: int
) -> None:
    planner = Planner()

    said = [
        alert
        for n, units in enumerate(shelves)
        for alert in planner.look(shelf(units), hours=n * every_minutes / 60)
        if alert.situation == "shortage"
    ]

    n_intervals = 1 + len(shelves) * every_minutes * 60_000 // POLICY.min_interval_ms
    # In an interval it may ease once, and then get worse by each of the four kinds.
    assert len(said) <= 5 * n_intervals


@given(st.lists(st.integers(-3, 60), max_size=40))
def test_alerts_open_before_they_end_and_never_twice(shelves: list[int]) -> None:
    planner = Planner()
    by_alert: dict[str, list[StockAlert]] = {}
    for hours, units in enumerate(shelves):
        for said in planner.look(shelf(units), hours=hours):
            by_alert.setdefault(said.alert_id, []).append(said)

    for told in by_alert.values():
        assert [said.revision for said in told] == list(range(1, len(told) + 1))
        assert [said.status == "opened" for said in told] == [True] + [False] * (len(told) - 1)
        assert all(said.status != "resolved" for said in told[:-1])
        assert len({said.situation for said in told}) == 1


@given(st.lists(st.integers(17, 19), max_size=30))
def test_shelf_between_the_thresholds_is_neither_opened_nor_ended(shelves: list[int]) -> None:
    at_rest, at_risk = Planner(), Planner()
    at_risk.short(16)

    for hours, units in enumerate(shelves, start=1):
        assert at_rest.short(units, hours=hours) is None
        assert at_risk.short(units, hours=hours) is None


# --- Words -------------------------------------------------------------------------------------


def test_explanation_names_the_figures() -> None:
    assert opened(shelf(10))["shortage"].explanation == (
        "10 on hand, about 2.0 wanted a day: likely gone by 2017-06-06, if sales run high by "
        "2017-06-06, and a reorder takes 7 days. Reorder point 16: 2.0 a day over 8 days of lead "
        "time and review, and 0 for safety (90% service); order 34."
    )


def test_every_kind_says_what_led_to_it() -> None:
    dead = selling([1] + [0] * 59, 0, units=9)
    planner = Planner()
    planner.short(0)
    told = [
        opened(shelf(-4))["shortage"],
        opened(shelf(0))["shortage"],
        opened(shelf(15, pack_size=12))["shortage"],
        planner.look(shelf(90), hours=1)[1],
        opened(selling([2] * 28, 30))["demand"],
        opened(selling([2] * 28, 2, units=500))["excess"],
        Planner().look(dead, daily=0.1)[0],
    ]

    assert [alert.explanation.split(":")[0] for alert in told] == [
        "4 more were promised than are there (-4 on hand), about 2.0 wanted a day. Reorder point 16",
        "Nothing left to sell (0 on hand), about 2.0 wanted a day. Reorder point 16",
        "15 on hand, about 2.0 wanted a day",
        "Can be sold again",
        "30 ordered today, 2.0 on an ordinary day, 15 times as many",
        "500 on hand, about 2.0 wanted a day",
        "9 on hand, and none was sold for 60 days.",
    ]
    assert told[2].explanation.endswith("order 36 in packs of 12.")


def test_shortage_that_a_delivery_ended_says_how_long_both_last() -> None:
    """10 units alone last 5 days; an order without a date takes a lead time and is no shortage."""
    planner = Planner()
    planner.short(10)

    (over,) = planner.look(shelf(16, inbound=90), hours=1)

    assert over.status == "resolved"
    assert over.explanation == (
        "16 on hand and 90 on the way, about 2.0 wanted a day: together they last until 2017-07-24 "
        "even if sales run high."
    )


def test_delivery_that_did_not_come_is_said_to_be_late() -> None:
    promised = shelf(0, deliveries=[due(90, 3)])

    in_time, late = (Planner().look(promised, hours=24 * day)[0] for day in (3, 4))

    assert "late" not in in_time.explanation
    assert late.explanation.endswith("The delivery that was due 2017-06-04 is late.")


def test_spike_that_took_everything_says_so() -> None:
    assert opened(selling([2] * 28, 30, units=0))["demand"].explanation == (
        "30 ordered today, 2.0 on an ordinary day, 15 times as many: nothing left to sell "
        "(0 on hand)."
    )


def test_alert_says_whose_forecast_it_rests_on() -> None:
    product, source = shelf(0), Forecast("empirical_quantiles", "", degraded=True)
    assessment = assess(product, wanted(2), TODAY, POLICY)
    (step,) = steps(product, assessment, today=TODAY, now_ms=NOON_MS, policy=POLICY)
    assert step.state is not None

    alert = message(
        product, step.state, assessment, now_ms=NOON_MS, forecast=source, created_at_ms=7
    )

    assert (alert.model, alert.degraded, alert.created_at_ms) == ("empirical_quantiles", True, 7)


def test_time_that_passes_is_no_news() -> None:
    planner = Planner()
    planner.look(shelf(16), hours=0)

    said = [planner.short(16, hours=24 * day) for day in range(1, 30)]

    assert said == [None] * 29
