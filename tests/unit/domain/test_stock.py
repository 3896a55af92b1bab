from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream.domain.demand import DAY_MS
from stream.domain.events import StockReceived
from stream.domain.outputs import StockAlert
from stream.domain.product_folding import apply_level, apply_movement
from stream.domain.products import AlertState, Product
from stream.domain.stock import Assessment, Forecast, StockPolicy, assess, transition
from stream.model_specs import HORIZON_DAYS, QUANTILES
from tests.unit.builders import NOON_MS, TODAY, levels_at, make_level, make_movement

POLICY = StockPolicy()


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
    product = apply_level(product, level, levels_at(0))
    return apply_movement(product, make_movement(1, units=units)) if units < 0 else product


def assessed(units: int, *, daily: float = 2.0, spread: float = 0.0) -> Assessment:
    return assess(shelf(units), wanted(daily, spread=spread), TODAY, POLICY)


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
    assert figures.suggested_quantity == 3 * (8 + 14) - 10 - 6
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
    assessment = assess(shelf(1, sold=0), wanted(0), TODAY, POLICY)

    assert assessment.kind == "none"
    assert assessment.stock_out_day is None
    assert assessment.figures.days_of_cover_p90 is None
    assert assessment.figures.stock_out_date_p90 is None


def test_unknown_service_level_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of"):
        StockPolicy(service_level=0.95)


# --- What is short -----------------------------------------------------------------------------


def test_shelf_is_at_risk_when_a_reorder_comes_too_late() -> None:
    assert assessed(15).kind == "stockout_risk"
    assert assessed(16).kind == "none"


def test_risk_is_high_when_even_the_median_runs_out() -> None:
    assert assessed(15, spread=0.25).severity == "high"
    assert assessed(20, spread=0.25).severity == "warning"


@pytest.mark.parametrize("units", [0, -4])
def test_empty_or_oversold_shelf_is_out_of_stock(units: int) -> None:
    assessment = assessed(units)

    assert (assessment.kind, assessment.severity) == ("out_of_stock", "critical")
    assert assessment.stock_out_day == TODAY


def test_units_set_aside_do_not_fill_a_shelf() -> None:
    assert assess(shelf(9, reserved=9), wanted(2), TODAY, POLICY).kind == "out_of_stock"


def test_uncounted_product_is_never_short() -> None:
    product = apply_movement(Product("milk"), make_movement(units=-9))

    assert assess(product, wanted(2), TODAY, POLICY).kind == "none"


def test_empty_shelf_of_a_product_nobody_wants_is_not_short() -> None:
    assert assess(shelf(0, sold=0), wanted(0), TODAY, POLICY).kind == "none"


@given(st.integers(-5, 200), st.integers(0, 40), st.integers(0, 10))
def test_risk_and_reorder_point_agree(units: int, daily_tenths: int, spread: int) -> None:
    daily = daily_tenths / 10
    assessment = assessed(units, daily=daily, spread=daily * spread / 50)

    figures = assessment.figures
    assert figures.suggested_quantity >= 0
    assert figures.safety_stock >= 0
    if assessment.kind == "stockout_risk":
        assert units <= figures.reorder_point
    if units > figures.reorder_point:
        assert assessment.kind == "none"


# --- Messages ----------------------------------------------------------------------------------


def tell(
    current: AlertState | None, assessment: Assessment, day: int = 0
) -> tuple[AlertState | None, StockAlert | None]:
    return transition(current, assessment, NOON_MS + day * DAY_MS, POLICY)


def opened(assessment: Assessment) -> tuple[AlertState, StockAlert]:
    state, alert = tell(None, assessment)
    assert state is not None
    assert alert is not None
    return state, alert


def test_short_shelf_opens_one_alert() -> None:
    state, alert = opened(assessed(10))

    again, silence = tell(state, assessed(10))

    assert (alert.status, alert.kind, alert.revision) == ("opened", "stockout_risk", 1)
    assert again == state
    assert silence is None


def test_full_shelf_is_not_worth_a_word() -> None:
    assert tell(None, assessed(90)) == (None, None)


def test_message_published_before_a_crash_is_made_again_as_it_was() -> None:
    assert opened(assessed(10)) == opened(assessed(10))


def test_stock_out_date_that_moves_a_little_is_not_told() -> None:
    state, _ = opened(assessed(15))

    closer, silence = tell(state, assessed(11))

    assert silence is None
    assert closer == state


def test_stock_out_date_that_moves_far_is_told() -> None:
    state, _ = opened(assessed(15))

    after, alert = tell(state, assessed(9))

    assert alert is not None
    assert (alert.status, alert.revision) == ("updated", 2)
    assert after != state


def test_small_steps_are_told_when_they_add_up() -> None:
    state: AlertState | None
    state, _ = opened(assessed(15))
    told = []
    for units in (14, 13, 12, 11, 10, 9):
        state, alert = tell(state, assessed(units))
        told.append(alert is not None)

    assert told == [False, False, False, False, True, False]


def test_risk_that_becomes_an_empty_shelf_is_the_same_alert() -> None:
    state, first = opened(assessed(15))

    _, alert = tell(state, assessed(0))

    assert alert is not None
    assert alert.alert_id == first.alert_id
    assert (alert.status, alert.kind, alert.severity) == ("updated", "out_of_stock", "critical")


def test_empty_shelf_is_told_once_however_many_days_pass() -> None:
    state, _ = opened(assessed(0))

    for day in range(1, 30):
        later = assess(shelf(0), wanted(2), TODAY + day, POLICY)
        assert tell(state, later, day)[1] is None


def test_shelf_filled_a_little_stays_short() -> None:
    state, _ = opened(assessed(0))

    after, alert = tell(state, assessed(17))

    assert after is not None
    assert after.is_open
    assert alert is not None
    assert (alert.status, alert.kind) == ("updated", "stockout_risk")


def test_full_shelf_ends_the_alert_with_the_units_it_has() -> None:
    state, first = opened(assessed(0))

    after, alert = tell(state, assessed(90), day=3)

    assert after is not None
    assert not after.is_open
    assert alert is not None
    assert (alert.status, alert.alert_id) == ("resolved", first.alert_id)
    assert alert.explanation.startswith("90 on hand")


def test_next_shortage_is_another_alert() -> None:
    state, first = opened(assessed(0))
    state_after, _ = tell(state, assessed(90))

    _, second = tell(state_after, assessed(0), day=9)

    assert second is not None
    assert second.status == "opened"
    assert second.alert_id != first.alert_id


def test_shortage_of_a_product_that_was_forgotten_meanwhile_is_another_alert() -> None:
    before = assess(shelf(0), wanted(2), TODAY, POLICY)
    forgotten = Product("milk")
    level = make_level(0, occurred_at_ms=NOON_MS + 100 * DAY_MS)
    sale = make_movement(1, occurred_at_ms=NOON_MS + 100 * DAY_MS)
    known_anew = apply_movement(apply_level(forgotten, level, levels_at(9)), sale)

    _, first = opened(before)
    _, second = opened(assess(known_anew, wanted(2), TODAY + 100, POLICY))

    assert second.alert_id != first.alert_id


def test_id_does_not_depend_on_when_the_shortage_was_noticed() -> None:
    _, first = tell(None, assessed(0))
    _, again = tell(None, assessed(0), day=1)

    assert first is not None
    assert again is not None
    assert again.alert_id == first.alert_id


def test_severity_that_eases_is_not_told() -> None:
    state, _ = opened(assessed(15, spread=0.25))

    after, silence = tell(state, assessed(16, spread=0.25))

    assert assessed(16, spread=0.25).severity == "warning"
    assert silence is None
    assert after == state


def test_empty_shelf_that_nobody_misses_any_more_ends_the_alert() -> None:
    state, _ = opened(assessed(0))

    _, alert = tell(state, assess(shelf(0, sold=0), wanted(0), TODAY, POLICY))

    assert alert is not None
    assert alert.status == "resolved"
    assert "no longer missed" in alert.explanation


def test_explanation_names_the_figures() -> None:
    _, alert = opened(assessed(10))

    assert alert.explanation == (
        "10 on hand, about 2.0 wanted a day: if sales run high they are gone by 2017-06-06, a "
        "reorder takes 8 days with review; reorder point 16, 34 suggested."
    )


def test_alert_says_whose_forecast_it_rests_on() -> None:
    source = Forecast("empirical_quantiles", "", degraded=True)

    _, alert = transition(None, assessed(0), NOON_MS, POLICY, forecast=source, created_at_ms=7)

    assert alert is not None
    assert (alert.model, alert.degraded, alert.created_at_ms) == ("empirical_quantiles", True, 7)


@given(st.lists(st.integers(-3, 60), max_size=40))
def test_alerts_open_before_they_end_and_never_twice(shelves: list[int]) -> None:
    state: AlertState | None = None
    messages: list[StockAlert] = []
    for units in shelves:
        state, alert = tell(state, assessed(units))
        if alert is not None:
            messages.append(alert)

    by_alert: dict[str, list[StockAlert]] = {}
    for message in messages:
        by_alert.setdefault(message.alert_id, []).append(message)
    for told in by_alert.values():
        assert [message.revision for message in told] == list(range(1, len(told) + 1))
        assert [message.status == "opened" for message in told] == [True] + [False] * (
            len(told) - 1
        )
        assert all(message.status != "resolved" for message in told[:-1])


@given(st.lists(st.integers(16, 19), max_size=30))
def test_shelf_between_the_thresholds_is_neither_opened_nor_ended(shelves: list[int]) -> None:
    at_rest: AlertState | None = None
    at_risk: AlertState | None = opened(assessed(15))[0]
    for units in shelves:
        at_rest, no_opening = tell(at_rest, assessed(units))
        at_risk, update = tell(at_risk, assessed(units))
        assert no_opening is None
        assert update is None or update.status == "updated"

    assert at_risk is not None
    assert at_risk.is_open
