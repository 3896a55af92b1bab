"""What is read of the topics says of demand and shelves what a worker makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from msgspec.structs import replace

from stream.codec import encode
from stream.domain import demand
from stream.domain.calendar import DAY_MS, Calendar
from stream.domain.events import (
    Item,
    OrderCancelled,
    OrderCompleted,
    OrderEvent,
    OrderRefunded,
    StockEvent,
    StockLevelEvent,
    StockReceived,
    StoreEvent,
)
from stream.domain.movements import movements_of
from stream.domain.product_folding import apply_level, apply_movement
from stream.domain.products import Product, observed, sold_out_days
from stream.domain.trail import Kind
from stream.models.demand_history import without_sold_out
from stream.topics import EVENTS, ORDERS, STOCK_LEVELS
from stream.training.deeds import Deeds
from stream.training.demand import demand_of
from stream.training.from_topics import Gathered
from tests.unit.builders import (
    NOON_MS,
    Record,
    levels_at,
    make_level,
    make_order,
    make_view,
    orders_at,
)

HOUR_MS = 3_600_000
N_DAYS = 60
NEW_YORK = Calendar(ZoneInfo("America/New_York"))


def gathered(events: Sequence[StoreEvent]) -> Gathered:
    found = Gathered(tolerance_ms=0)
    for offset, event in enumerate(events):
        topic = STOCK_LEVELS if isinstance(event, StockEvent) else EVENTS
        topic = ORDERS if isinstance(event, OrderEvent) else topic
        record = Record(encode(event), offset=offset, timestamp=NOON_MS + N_DAYS * DAY_MS)
        found.take(record, topic.name, 0)
    return found


def acts(deeds: Deeds) -> list[tuple[str, int, int, int]]:
    columns = deeds.products, deeds.at_ms - NOON_MS, deeds.kinds, deeds.quantities
    return [*zip(*(column.tolist() for column in columns), strict=True)]


def test_a_cancelled_line_is_told_as_of_its_order_where_that_is_known() -> None:
    order = make_order(5, products=[Item("milk", 3)])
    undone = make_order(90, products=[Item("milk", 2)], kind=OrderCancelled)

    deeds = gathered([order, replace(undone, ordered_at_ms=NOON_MS + 5)]).deeds()

    assert acts(deeds) == [("milk", 5, Kind.PURCHASE, 3), ("milk", 5, Kind.CANCEL, 2)]
    assert acts(gathered([order, undone]).deeds())[1] == ("milk", 90, Kind.CANCEL, 2)


def test_an_order_of_after_its_cancellation_was_placed_before() -> None:
    undone = replace(make_order(9, kind=OrderCancelled), ordered_at_ms=NOON_MS + 50)

    assert acts(gathered([undone]).deeds()) == [("milk", 9, Kind.CANCEL, 1)]


def test_what_came_back_had_been_wanted() -> None:
    events = [make_order(5), make_order(90, kind=OrderRefunded)]

    assert acts(gathered(events).deeds()) == [("milk", 5, Kind.PURCHASE, 1)]


@pytest.mark.parametrize("restocked", [True, False])
def test_what_came_back_can_be_sold_again_if_it_is_whole(restocked: bool) -> None:
    back = replace(make_order(90, kind=OrderRefunded), restocked=restocked)

    droughts = gathered([make_level(1), make_order(5), back]).deeds().droughts

    ends = [NOON_MS + 90] if restocked else [253_402_300_799_999]
    assert (droughts.since_ms.tolist(), droughts.until_ms.tolist()) == ([NOON_MS + 5], ends)


def test_one_event_counts_once_and_one_message_may_tell_of_many_products() -> None:
    counts = [make_level(1, product_id=name, event_id="night") for name in ("milk", "jam")]
    orders = [make_order(5, products=["milk", "jam"], event_id=again) for again in "ab"]
    received = StockReceived(
        event_id="r", occurred_at_ms=NOON_MS + 5, product_id="milk", quantity=1
    )

    found = gathered([*counts, *orders, received, received])

    deeds = found.deeds()
    assert len(deeds) == 2
    assert deeds.droughts.products.tolist() == ["jam"]


def test_ids_are_of_one_topic_and_visitor() -> None:
    views = [make_view(event_id="1"), make_view(event_id="1", visitor_id="bob")]

    assert len(gathered([*views, make_order(event_id="1")]).deeds()) == 3


# --- Beside a worker ---------------------------------------------------------------------------


def trade(chance: Random) -> list[OrderEvent | StockLevelEvent]:
    """Some weeks of a shelf that is often empty, in order of time; no two things at once."""
    orders, events = list[OrderEvent](), list[OrderEvent | StockLevelEvent]([make_level(6)])
    for number, hour in enumerate(sorted(chance.sample(range(1, 24 * N_DAYS), 8 * N_DAYS))):
        told: dict[str, Any] = {
            "event_id": f"e{number}",
            "occurred_at_ms": NOON_MS + hour * HOUR_MS,
        }
        what = chance.choices(["order", "undo", "stock"], [60, 20, 20])[0]
        if what == "stock":
            events.append(_stock(chance, told))
        elif what == "undo" and orders:
            events.append(_undone(chance, chance.choice(orders[-9:]), told))
        else:
            orders.append(make_order(number, products=[Item("milk", chance.randint(1, 3))], **told))
            events.append(orders[-1])
    return events


def _stock(chance: Random, told: dict[str, Any]) -> StockLevelEvent:
    if chance.random() < 0.8:
        return StockReceived(product_id="milk", quantity=chance.randint(1, 9), **told)
    return make_level(chance.randint(0, 6), reserved=chance.randint(0, 2), **told)


def _undone(chance: Random, order: OrderEvent, told: dict[str, Any]) -> OrderEvent:
    is_known = chance.random() < 0.7
    if chance.random() < 0.4:
        back = make_order(products=order.products, kind=OrderRefunded, **told)
        return replace(back, restocked=is_known)
    undone = make_order(products=order.products, kind=OrderCancelled, **told)
    return replace(undone, ordered_at_ms=order.occurred_at_ms if is_known else None)


def folded(events: Sequence[OrderEvent | StockLevelEvent], calendar: Calendar) -> Product:
    """What a worker makes of *events* that it hears of one by one, as they happen."""
    product = Product("milk")
    for offset, event in enumerate(events):
        if isinstance(event, OrderEvent):
            for movement in movements_of(event, orders_at(offset)):
                product = apply_movement(product, movement, calendar)
        else:
            product = apply_level(product, event, levels_at(offset), calendar)
        product = observed(product, calendar.day_of(event.occurred_at_ms))
    return product


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("calendar", [Calendar(), NEW_YORK], ids=["UTC", "New York"])
def test_training_learns_the_demand_and_the_days_sold_out_that_a_worker_folds(
    seed: int, calendar: Calendar
) -> None:
    chance = Random(seed)
    events = trade(chance)
    product = folded(events, calendar)
    in_any_order = chance.sample(events, len(events))

    learnt = demand_of(gathered(in_any_order).deeds(), 1, calendar)

    sales = [event.occurred_at_ms for event in events if isinstance(event, OrderCompleted)]
    first, last = (calendar.day_of(at_ms) for at_ms in (min(sales), max(sales)))
    sold = demand.sold(product.demand, first, last - first + 1)[None]
    is_dry = np.isin(np.arange(first, last + 1), sold_out_days(product, last))[None]
    assert is_dry.sum() > 5
    assert learnt.units.tolist() == without_sold_out(sold, is_dry).tolist()
