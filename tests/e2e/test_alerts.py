"""What planners are told, by kind of alert: through the broker, by a worker and the forecaster.

The tests share a worker and its clock. Each begins on a morning of its own, with products of its
own, and time passes when something happens at a later time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stream.domain.calendar import DAY_MS, date_of
from stream.domain.events import Delivery
from stream.domain.outputs import LocationFigures, RecommendedItem, alert_key
from stream.domain.products import is_sold_out, on_hand
from stream.domain.ranking import PLENTY
from stream.kafka.partitioning import partition_of
from stream.topics import STOCK_ALERTS
from tests.harness.brokers import broker_in
from tests.harness.events import N_PARTITIONS, view
from tests.harness.schemas import faults
from tests.harness.shop import HOUR_MS, Shop
from tests.harness.store import Store, empty_store
from tests.harness.waiting import until
from tests.harness.worker import Worker
from tests.unit.builders import TODAY

pytestmark = [pytest.mark.broker, pytest.mark.triton, pytest.mark.slow]

NEARLY_SOLD_OUT = 2
PLACES = 3
#: Longer than the default of ``alert_interval_minutes``.
A_WHILE = 16

_ordinals = itertools.count(1)


@pytest.fixture(scope="module")
def opened(store: Store, triton: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    feedback: dict[str, Any] = {
        "nearly_sold_out_units": NEARLY_SOLD_OUT,
        "overstock_places": PLACES,
    }
    folder: Path = tmp_path_factory.mktemp("worker")
    with Worker(folder, store.bootstrap, triton=triton, **feedback) as worker:
        worker.wait_ready()
        yield Shop(store)


@pytest.fixture
def shop(opened: Shop) -> Shop:
    opened.now_ms = (opened.today + 1) * DAY_MS + 8 * HOUR_MS
    return opened


@pytest.fixture
def new_york(triton: str, tmp_path: Path) -> Iterator[Shop]:
    """A store of which it is four hours earlier, at noon of a Thursday, and never open on Sunday."""
    broker = broker_in(tmp_path / "broker")
    broker.start()
    store = empty_store(broker.bootstrap)
    days: dict[str, Any] = {"store_timezone": "America/New_York", "closed_weekdays": "sun"}
    with Worker(tmp_path, store.bootstrap, triton=triton, **days) as worker:
        worker.wait_ready()
        yield Shop(store, now_ms=TODAY * DAY_MS + 16 * HOUR_MS, noon_ms=16 * HOUR_MS)
    store.close()
    broker.stop()


# --- A shortage --------------------------------------------------------------------------------


def test_a_shelf_that_may_not_last_until_a_reorder_is_a_stockout_risk(shop: Shop) -> None:
    shop.has_sold({"risk": 4})

    shop.counts("risk", 10, name="Sour milk", pack_size=6)
    alert = shop.hears("risk", "stockout_risk", "opened")

    figures = alert.figures
    days, daily = figures.lead_time_days + figures.review_days, figures.daily_demand
    assert (alert.severity, alert.revision, alert.name) == ("high", 1, "Sour milk")
    assert (alert.model, alert.model_version, alert.degraded) == ("forecaster", "1", False)
    assert (figures.on_hand, figures.reserved, figures.inbound, days) == (10, 0, 0, 8)
    assert 1 < daily < 12
    assert abs(figures.reorder_point - daily * days - figures.safety_stock) <= 1
    assert figures.revenue_at_risk_per_day == pytest.approx(2.5 * daily, abs=0.01)
    assert figures.suggested_quantity >= figures.reorder_point - 10
    assert figures.suggested_quantity % 6 == 0
    assert figures.stock_out_date_p90 is not None
    assert date_of(shop.today) < figures.stock_out_date_p90 <= date_of(shop.today + 7)
    assert alert.explanation.startswith("10 on hand, about ")
    assert f"high by {figures.stock_out_date_p90}, and a reorder takes 7 days" in alert.explanation
    assert f"Reorder point {figures.reorder_point}: " in alert.explanation
    assert f"order {figures.suggested_quantity} in packs of 6." in alert.explanation


def test_a_shelf_at_its_reorder_point_is_low_and_a_fuller_one_is_not(shop: Shop) -> None:
    """Products with the same past have the same reorder point."""
    shop.has_sold({"probed": 4, "low": 4, "enough": 4})
    shop.counts("probed", 1)
    reorder_point = shop.hears("probed", "stockout_risk", "opened").figures.reorder_point

    shop.counts("low", reorder_point)
    shop.counts("enough", reorder_point + 1)
    alert = shop.hears("low", "low_stock", "opened")

    assert alert.severity == "warning"
    assert alert.figures.reorder_point == reorder_point
    assert alert.figures.suggested_quantity > 0
    assert "time to order" in alert.explanation
    assert shop.hears_no_more("enough") == []


def test_the_last_unit_sold_is_out_of_stock_and_a_receipt_is_back_in_stock_for_a_day(
    shop: Shop,
) -> None:
    shop.has_sold({"gone": 4})
    shop.counts("gone", 100)
    before = shop.hears_no_more("gone")

    shop.sells("gone", 100)
    gone = shop.hears("gone", "out_of_stock", "opened")
    shop.receives("gone", 200)
    back = shop.hears("gone", "back_in_stock", "opened")
    shop.passes(minutes=A_WHILE)
    over = shop.hears("gone", "out_of_stock", "resolved")
    shop.passes(days=1)
    shop.hears("gone", "back_in_stock", "resolved")

    assert before == []
    assert (gone.severity, gone.figures.on_hand, back.severity) == ("critical", 0, "info")
    assert gone.explanation.startswith("Nothing left to sell (0 on hand)")
    assert back.explanation.startswith("Can be sold again: 200 on hand")
    assert (over.alert_id, over.opened_at_ms) == (gone.alert_id, gone.opened_at_ms)
    assert back.alert_id != gone.alert_id


def test_more_promised_than_is_there_is_oversold(shop: Shop) -> None:
    shop.has_sold({"promised": 4})
    shop.counts("promised", 100)

    shop.sells("promised", 103)
    alert = shop.hears("promised", "oversold", "opened")

    assert (alert.severity, alert.figures.on_hand) == ("critical", -3)
    assert alert.explanation.startswith("3 more were promised than are there")
    assert alert.figures.suggested_quantity > alert.figures.reorder_point


def test_one_location_that_sold_what_it_did_not_have_is_oversold_while_others_have_stock(
    shop: Shop,
) -> None:
    shop.has_sold({"spread": 4})
    shop.counts("spread", 200, location="Munich")
    shop.counts("spread", 5, location="Hamburg")
    before = shop.hears_no_more("spread")

    shop.sells("spread", 7, location="Hamburg")
    shop.sells("spread", 20, location="Munich")
    shop.sells("spread", 3)
    alert = shop.hears("spread", "oversold", "opened")

    product = shop.knows("spread")
    assert before == []
    assert (alert.severity, on_hand(product), is_sold_out(product)) == ("high", 175, False)
    assert "More was sold than is there at Hamburg -2, of " in alert.explanation
    assert LocationFigures("Hamburg", -2, 0, 0) in alert.figures.locations


def test_a_cancelled_order_is_for_sale_again_and_was_not_wanted(shop: Shop) -> None:
    shop.has_sold({"cancelled": 4})
    shop.counts("cancelled", 9)
    shop.hears("cancelled", "stockout_risk", "opened")
    order = shop.sells("cancelled", 9)
    shop.hears("cancelled", "out_of_stock", "updated")
    wanted = dict(shop.knows("cancelled").demand)

    day = shop.today
    shop.passes(days=1)
    shop.cancels(order)
    shop.hears("cancelled", "back_in_stock", "opened")

    product = shop.knows("cancelled")
    assert wanted[day] == 9
    assert on_hand(product) == 9
    assert dict(product.demand) == wanted | {day: 0}


def test_what_comes_back_is_for_sale_again_where_it_is_restocked_and_had_been_wanted(
    shop: Shop,
) -> None:
    shop.has_sold({"restocked": 4, "broken": 4})
    orders = {}
    for product_id in ("restocked", "broken"):
        shop.counts(product_id, 9)
        shop.hears(product_id, "stockout_risk", "opened")
        orders[product_id] = shop.sells(product_id, 9)
        shop.hears(product_id, "out_of_stock", "updated")

    shop.refunds(orders["broken"], restocked=False)
    shop.refunds(orders["restocked"], restocked=True)
    shop.hears("restocked", "back_in_stock", "opened")

    restocked, broken = shop.knows("restocked"), shop.knows("broken")
    assert (on_hand(restocked), on_hand(broken)) == (9, 0)
    assert dict(restocked.demand)[shop.today] == dict(broken.demand)[shop.today] == 9
    assert shop.told("broken", "return") == []
    assert shop.told("broken")[-1].kind == "out_of_stock"


# --- The life of an alert ----------------------------------------------------------------------


def test_worse_is_told_at_once_and_better_once_the_last_message_is_old_enough(shop: Shop) -> None:
    shop.has_sold({"lived": 4})
    shop.counts("lived", 4)
    shop.hears("lived", "stockout_risk", "opened")

    shop.receives("lived", 20)  # lasts longer by days, whatever the network was trained to say
    held_back = shop.hears_no_more("lived")
    shop.passes(minutes=A_WHILE)
    better = shop.hears("lived", "stockout_risk", "updated")
    shop.sells("lived", 24)
    worse = shop.hears("lived", "out_of_stock", "updated")
    shop.receives("lived", 200)
    still = shop.hears_no_more("lived")[-1]
    shop.passes(minutes=A_WHILE)
    shop.hears("lived", "out_of_stock", "resolved")

    told = shop.told("lived")
    assert [each.status for each in held_back] == ["opened"]
    assert (better.figures.on_hand, worse.figures.on_hand) == (24, 0)
    assert worse.occurred_at_ms - better.occurred_at_ms < HOUR_MS / 60
    assert still == worse
    assert [each.revision for each in told] == [1, 2, 3, 4]
    assert {each.alert_id for each in told} == {told[0].alert_id}
    assert told[-1].figures.revenue_at_risk_per_day == 0


def test_a_delivery_that_comes_too_late_for_the_shelf_snoozes_its_shortage_until_it_is_due(
    shop: Shop,
) -> None:
    """Nobody can do more about it; but where the delivery does not come somebody must."""
    shop.has_sold({"ordered": 4})
    shop.counts("ordered", 2)
    shop.hears("ordered", "stockout_risk", "opened")
    due_day = shop.today + 3

    shop.orders_in("ordered", 200, expected_at_ms=due_day * DAY_MS + 9 * HOUR_MS)
    held_back = shop.hears_no_more("ordered")
    shop.passes(minutes=A_WHILE)
    snoozed = shop.hears("ordered", "stockout_risk", "snoozed")
    shop.passes(days=3)
    shop.sells("ordered", 1)
    on_the_day = shop.hears_no_more("ordered")[-1]
    shop.passes(days=1)
    woken = shop.hears("ordered", "stockout_risk", "updated")
    shop.receives("ordered", 200)
    shop.passes(minutes=A_WHILE)
    over = shop.hears("ordered", "stockout_risk", "resolved")

    assert [each.status for each in held_back] == ["opened"]
    assert (snoozed.snoozed_until, snoozed.figures.inbound) == (date_of(due_day), 200)
    assert snoozed.figures.suggested_quantity == 0
    assert snoozed.explanation.endswith(f"nothing to decide until {date_of(due_day)}.")
    assert on_the_day == snoozed
    assert (woken.snoozed_until, woken.figures.next_delivery_date) == (None, date_of(due_day))
    assert woken.explanation.endswith(f"The delivery that was due {date_of(due_day)} is late.")
    assert (over.figures.inbound, over.alert_id) == (0, snoozed.alert_id)


def test_a_count_that_names_its_deliveries_is_snoozed_from_its_first_message(shop: Shop) -> None:
    shop.has_sold({"dated": 4})
    shop.counts("dated", 100)
    due_day = shop.today + 2
    delivery = Delivery(200, due_day * DAY_MS + 9 * HOUR_MS)

    shop.counts("dated", 0, inbound=200, deliveries=(delivery,))
    snoozed = shop.hears("dated", "out_of_stock", "snoozed")
    shop.passes(days=3)
    woken = shop.hears("dated", "out_of_stock", "updated")

    assert (snoozed.revision, snoozed.snoozed_until) == (1, date_of(due_day))
    assert (woken.revision, woken.snoozed_until) == (2, None)
    assert (woken.severity, woken.alert_id) == ("critical", snoozed.alert_id)


def test_a_delivery_that_comes_in_time_snoozes_a_shortage_that_ends_when_it_is_there(
    shop: Shop,
) -> None:
    shop.has_sold({"in-time": 4})
    shop.counts("in-time", 20)
    opened = shop.hears("in-time", "stockout_risk", "opened")

    shop.orders_in("in-time", 200, expected_at_ms=(shop.today + 1) * DAY_MS + 9 * HOUR_MS)
    shop.passes(minutes=A_WHILE)
    snoozed = shop.hears("in-time", "low_stock", "snoozed")
    shop.passes(days=1)
    shop.sells("in-time", 1)
    on_the_day = shop.hears_no_more("in-time")[-1]
    shop.receives("in-time", 200)
    over = shop.hears("in-time", "low_stock", "resolved")

    assert snoozed.snoozed_until == date_of(shop.today)
    assert "time to order" not in snoozed.explanation
    assert on_the_day == snoozed
    assert (over.figures.on_hand, over.figures.inbound) == (219, 0)
    assert {each.alert_id for each in shop.told("in-time")} == {opened.alert_id}


# --- Demand and excess -------------------------------------------------------------------------


def test_far_more_than_usual_in_a_day_is_a_demand_spike_until_it_is_over(shop: Shop) -> None:
    shop.has_sold({"famous": 4})
    shop.counts("famous", 300)

    shop.sells("famous", 11)
    ordinary = shop.hears_no_more("famous", "demand")
    shop.sells("famous", 29)
    spike = shop.hears("famous", "demand_spike", "opened")
    shop.passes(days=2)
    shop.hears("famous", "demand_spike", "resolved")

    assert ordinary == []
    assert (spike.situation, spike.severity) == ("demand", "warning")
    assert (spike.figures.units_today, spike.figures.usual_daily) == (40, 4.0)
    assert spike.explanation.startswith(
        "40 ordered today, 4.0 on an ordinary day, 10 times as many: 260 on hand last "
    )


def test_what_lasts_far_longer_than_is_planned_is_overstock_until_it_is_sold(shop: Shop) -> None:
    shop.has_sold({"plenty": 4})

    shop.counts("plenty", 5000)
    alert = shop.hears("plenty", "overstock", "opened")
    shop.sells("plenty", 4950)
    shop.passes(minutes=A_WHILE)
    over = shop.hears("plenty", "overstock", "resolved")

    assert (alert.situation, alert.severity) == ("excess", "info")
    assert 3000 < alert.figures.excess_units < 5000
    assert alert.figures.revenue_at_risk_per_day == 0
    assert f"{alert.figures.excess_units} more than are wanted" in alert.explanation
    assert over.explanation.endswith("no longer too many.")


def test_a_promotion_that_is_planned_is_in_the_forecast_until_it_is_withdrawn(shop: Shop) -> None:
    """Products with the same past are forecast the same but for their prices."""
    shop.has_sold({"usual": 4, "promoted": 4, "withdrawn": 4}, price=2.5)
    shop.plans_price("promoted", 1.25, n_days=14)
    shop.plans_price("withdrawn", 1.25, n_days=14)
    shop.plans_price("withdrawn", None, n_days=14)
    planned = shop.knows("promoted").plans

    usual, promoted, withdrawn = (
        daily_demand_of(shop, product_id) for product_id in ("usual", "promoted", "withdrawn")
    )

    assert [(each.first_day - shop.today, each.price) for each in planned] == [(1, 1.25)]
    assert promoted != usual
    assert withdrawn == usual


def daily_demand_of(shop: Shop, product_id: str) -> float:
    """Count so few units that planners hear of it, and return what they read is wanted a day."""
    shop.counts(product_id, 10)
    return shop.hears(product_id, "stockout_risk", "opened").figures.daily_demand


# --- What recommendations make of it -----------------------------------------------------------


def shown(store: Store, product_id: str) -> list[RecommendedItem]:
    """Return what a new visitor who looks at *product_id* is shown, best first."""
    [sent] = store.publish(view(f"passer-by-{next(_ordinals)}", product_id))
    store.until(lambda: store.answer_to(sent), f"{sent.place} is answered")
    answer = store.answer_to(sent)
    assert answer is not None
    return [*answer.decoded.items]


def shown_until(
    store: Store, product_id: str, condition: Callable[[list[str]], bool]
) -> list[RecommendedItem]:
    """Ask as one new visitor after the other until the products shown meet *condition*."""

    def found() -> list[RecommendedItem]:
        items = shown(store, product_id)
        return items if condition([item.product_id for item in items]) else []

    return until(found, "what is shown follows the shelf", within_s=10)


@pytest.mark.parametrize(("looked_at", "left"), [("p10", 0), ("p30", NEARLY_SOLD_OUT)])
def test_what_is_sold_out_or_nearly_so_is_not_recommended_until_there_is_more(
    shop: Shop, looked_at: str, left: int
) -> None:
    best = shown(shop.store, looked_at)[0].product_id
    shop.counts(best, 20)
    shop.store.settle()
    shown_until(shop.store, looked_at, lambda products: products[0] == best)

    shop.sells(best, 20 - left)
    hidden = shown_until(shop.store, looked_at, lambda products: best not in products)
    shop.receives(best, 20)
    back = shown_until(shop.store, looked_at, lambda products: best in products)

    assert len(hidden) == 10
    assert back[0].product_id == best


def test_what_there_is_too_much_of_is_recommended_a_little_earlier_and_says_so(
    shop: Shop,
) -> None:
    before = [item.product_id for item in shown(shop.store, "p50")]
    favoured = before[5]
    shop.has_sold({favoured: 1})

    shop.counts(favoured, 5000)
    shop.hears(favoured, "overstock", "opened")
    after = shown_until(shop.store, "p50", lambda products: products.index(favoured) == 5 - PLACES)

    reasons = {item.product_id: item.reason for item in after}
    assert reasons.pop(favoured).endswith(PLENTY)
    assert not any(reason.endswith(PLENTY) for reason in reasons.values())
    assert [item.product_id for item in after if item.product_id != favoured] == [
        product_id for product_id in before if product_id != favoured
    ]


# --- A store elsewhere -------------------------------------------------------------------------


def test_a_day_ends_at_midnight_where_the_store_is_and_closed_days_are_not_ordinary_ones(
    new_york: Shop,
) -> None:
    """8 units before and 8 after midnight in UTC are 16 of one evening in New York."""
    shop, sunday = new_york, 6
    midnight_ms = (TODAY + 1) * DAY_MS
    shop.has_sold({"late": 4}, closed_weekdays=[sunday])
    shop.counts("late", 16)
    shop.hears("late", "stockout_risk", "opened")

    shop.now_ms = midnight_ms - HOUR_MS
    shop.sells("late", 8)
    ordinary = shop.hears_no_more("late", "demand")
    shop.now_ms = midnight_ms + HOUR_MS
    shop.sells("late", 8)
    spike = shop.hears("late", "demand_spike", "opened")
    due_ms = (TODAY + 2) * DAY_MS + HOUR_MS
    shop.orders_in("late", 200, expected_at_ms=due_ms)
    shop.passes(minutes=A_WHILE)
    snoozed = shop.hears("late", "out_of_stock", "snoozed")

    assert ordinary == []
    assert (spike.figures.units_today, spike.figures.usual_daily) == (16, 4.0)
    assert dict(shop.knows("late").demand)[TODAY] == 16
    assert snoozed.snoozed_until == snoozed.figures.next_delivery_date == date_of(TODAY + 1)


# --- Time goes on ------------------------------------------------------------------------------


def test_what_nobody_buys_for_sixty_days_is_dead_stock_though_nothing_happens_to_it(
    shop: Shop,
) -> None:
    shop.has_sold({"dead": 1}, n_days=30)
    shop.counts("dead", 3)
    shop.passes(days=58)
    living = shop.hears_no_more("dead", "excess")

    shop.passes(days=1)
    dead = shop.hears("dead", "dead_stock", "opened")
    shop.sells("dead", 1)
    shop.passes(minutes=A_WHILE)
    shop.hears("dead", "dead_stock", "resolved")

    assert living == []
    assert dead.severity == "warning"
    assert dead.explanation == "3 on hand, and none was sold for 60 days."


def test_the_last_record_of_each_key_is_the_present_state_and_lies_with_its_product(
    shop: Shop,
) -> None:
    """Of all that the tests before it told."""
    shop.passes()
    shop.store.settle()
    records = shop.store.records(STOCK_ALERTS)
    products = {product_id: product for (_, product_id), product in shop.store.products().items()}

    astray = [
        record.key
        for partition, record in records
        if partition != partition_of((record.key or b"").partition(b"/")[2], N_PARTITIONS)
    ]
    remembered = {
        alert_key(product_id, state.situation): (state.kind, state.revision, state.is_open)
        for product_id, product in products.items()
        for state in product.alerts
    }
    last = {
        alert_key(alert.product_id, alert.situation): (
            alert.kind,
            alert.revision,
            alert.status != "resolved",
        )
        for product_id in products
        for alert in shop.present(product_id)
    }
    assert astray == []
    assert last == remembered
    assert {kind for kind, _, _ in last.values()} >= {"dead_stock", "oversold", "back_in_stock"}
    assert [
        fault
        for _, record in records
        if record.value
        for fault in faults(STOCK_ALERTS, record.value)
    ] == []
