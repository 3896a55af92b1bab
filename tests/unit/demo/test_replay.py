from __future__ import annotations

from itertools import islice

import msgspec
import numpy as np

from stream.demo.catalogue import Catalogue
from stream.demo.household_orders import DAY_MS, Purchases, start_of
from stream.demo.replay import (
    HISTORY,
    PAST_FROM,
    REPLAYED_FROM,
    REPLAYED_UNTIL,
    Outgoing,
    Replay,
    training_data,
)
from stream.domain.events import ClickstreamEvent, OrdersEvent, StockLevelEvent
from stream.kafka.partitioning import partition_of
from stream.topics import EVENTS, ORDERS, STOCK_LEVELS

UNIONS = {
    EVENTS.name: ClickstreamEvent,
    ORDERS.name: OrdersEvent,
    STOCK_LEVELS.name: StockLevelEvent,
}


def test_past_is_real_orders_and_the_opening_a_count_of_every_shelf(replay: Replay) -> None:
    orders = [each for day in replay.past() for each in day]
    opening = replay.opening()

    assert {(each.kind, each.simulated) for each in orders} == {("order_completed", False)}
    assert {(each.kind, each.simulated) for each in opening} == {("stock_level_set", True)}
    assert all(each.record.headers == HISTORY for each in (*orders, *opening))
    assert start_of(PAST_FROM) <= orders[0].occurred_at_ms
    assert orders[-1].occurred_at_ms < start_of(REPLAYED_FROM)


def test_every_record_is_a_valid_event_of_its_topic(replay: Replay) -> None:
    for outgoing in first_days(replay, 3):
        msgspec.json.decode(outgoing.record.value or b"", type=UNIONS[outgoing.record.topic])


def test_records_are_keyed_by_visitor_or_product(replay: Replay) -> None:
    for outgoing in first_days(replay, 2):
        event = msgspec.json.decode(outgoing.record.value or b"")
        key = str(event.get("visitor_id", event.get("product_id"))).encode()
        if outgoing.record.topic == STOCK_LEVELS.name:
            key = event["product_id"].encode()

        assert outgoing.record.key == key
        assert outgoing.record.partition == partition_of(key, 4)


def test_a_day_is_in_order_of_time_and_never_marked_history(replay: Replay) -> None:
    day = next(replay.days())
    times = [each.occurred_at_ms for each in day]

    assert times == sorted(times)
    assert not any(each.record.headers for each in day)


def test_only_orders_are_real(replay: Replay) -> None:
    real = {each.kind for each in first_days(replay, 3) if not each.simulated}

    assert real == {"order_completed"}


def test_same_seed_replays_the_same_bytes(purchases: Purchases, catalogue: Catalogue) -> None:
    one, other = (Replay(purchases, catalogue, n_partitions=4, seed=5) for _ in range(2))

    assert first_days(one, 3) == first_days(other, 3)


def test_year_that_is_over_comes_again_later_with_other_ids(replay: Replay) -> None:
    n_days = (REPLAYED_UNTIL - REPLAYED_FROM).days
    days = list(islice(replay.days(), n_days + 1))

    assert days[n_days][0].occurred_at_ms - days[0][0].occurred_at_ms > (n_days - 1) * DAY_MS
    ids = [
        msgspec.json.decode(each.record.value or b"")["event_id"] for day in days for each in day
    ]
    assert len(set(ids)) == len(ids)


def test_models_see_nothing_of_the_replayed_weeks(
    purchases: Purchases, catalogue: Catalogue
) -> None:
    data = training_data(purchases, catalogue)
    past = purchases.between(PAST_FROM.replace(month=1, day=1), REPLAYED_FROM)
    known = past.of_products(np.fromiter(catalogue.products, dtype=np.int32))

    assert sum(len(household.product_ids) for household in data.households) == len(known)
    assert data.demand.sum() == known.quantity.sum()
    assert data.demand.shape == (30, (REPLAYED_FROM - PAST_FROM.replace(month=1, day=1)).days)
    assert data.first_weekday == 6
    assert np.array_equal(np.isfinite(data.paid), data.demand > 0)


def test_demand_row_is_the_catalogues(purchases: Purchases, catalogue: Catalogue) -> None:
    data = training_data(purchases, catalogue)
    past = purchases.between(PAST_FROM.replace(month=1, day=1), REPLAYED_FROM)

    for row, product_id in enumerate(catalogue.products):
        assert data.demand[row].sum() == past.quantity[past.product_id == product_id].sum()


def first_days(replay: Replay, n_days: int) -> list[Outgoing]:
    return [each for day in islice(replay.days(), n_days) for each in day]
