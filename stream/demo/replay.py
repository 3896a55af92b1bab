"""The store's days as records: the past in one go, then day after day as it happened.

What is replayed: real orders from ``REPLAYED_FROM`` to the end of 2017, with simulated browsing
and stock around them. What comes first: real orders of the twelve weeks before (as many days as the
forecaster reads), marked as history, and one count of every shelf. When the year is over the same
weeks come again, thirteen weeks later: a new lap.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.codec import encode
from stream.demo.browsing import P_ABANDONED, browse, browse_only, order_of
from stream.demo.catalogue import Catalogue
from stream.demo.household_orders import DAY_MS, Purchases, start_of
from stream.demo.shelves import Shelves
from stream.domain.events import OrderCompleted, OrderEvent, StockEvent, StoreEvent, VisitorEvent
from stream.kafka.partitioning import partition_of
from stream.kafka.records import Headers, OutRecord
from stream.model_specs import HISTORY_DAYS
from stream.models.demand_history import mean_by_day
from stream.topics import EVENTS, ORDERS, STOCK_LEVELS

REPLAYED_FROM = date(2017, 10, 2)
REPLAYED_UNTIL = date(2018, 1, 1)
PAST_FROM = REPLAYED_FROM - timedelta(days=HISTORY_DAYS)
#: Tells the worker to fold a record without answering it.
HISTORY: Headers = (("history", b"1"),)

_NOON_MS = 12 * 3600 * 1000


class Outgoing(NamedTuple):
    """A record to send, and what it is; ``n_moved`` products are moved by it."""

    record: OutRecord
    kind: str
    simulated: bool
    occurred_at_ms: int
    n_moved: int


class Replay:
    """The store's days, deterministic by *seed*."""

    def __init__(
        self, purchases: Purchases, catalogue: Catalogue, *, n_partitions: int, seed: int
    ) -> None:
        self._purchases = purchases
        self._catalogue = catalogue
        self._n_partitions = n_partitions
        self._seed = seed
        self._shelves = Shelves(catalogue, seed=seed)

    def past(self) -> Iterator[list[Outgoing]]:
        """Real orders day by day, marked history."""
        for day in _days(PAST_FROM, REPLAYED_FROM):
            yield [self._outgoing(order, HISTORY) for order in self._orders(day, shift_ms=0)]

    def opening(self) -> list[Outgoing]:
        """A count of every shelf as the replay begins, marked history.

        Send it when the past is folded: a shelf known before its demand raises false alerts.
        """
        opening = self._shelves.levels(start_of(REPLAYED_FROM))
        return [self._outgoing(level, HISTORY) for level in opening]

    def days(self) -> Iterator[list[Outgoing]]:
        """Each day's events in order of their time; endless, lap after lap."""
        lap_ms = start_of(REPLAYED_UNTIL) - start_of(REPLAYED_FROM)
        shift_ms = 0
        while True:
            for day in _days(REPLAYED_FROM, REPLAYED_UNTIL):
                yield self._day(day, shift_ms)
            shift_ms += lap_ms

    def _day(self, day: date, shift_ms: int) -> list[Outgoing]:
        random = Random(f"day-{self._seed}-{day}-{shift_ms}")  # noqa: S311 - a simulation
        number = (start_of(day) + shift_ms) // DAY_MS
        orders = list(self._orders(day, shift_ms=shift_ms))
        events: list[StoreEvent] = list(self._shelves.deliveries(number, random))
        for order in orders:
            events.extend(self._around(order, random))
        events.extend(self._shelves.close(number, orders))
        events.sort(key=lambda event: event.occurred_at_ms)
        return [self._outgoing(event) for event in events]

    def _around(self, order: OrderCompleted, random: Random) -> Iterator[VisitorEvent]:
        yield from browse(order, self._catalogue, random)
        yield order
        if random.random() < P_ABANDONED:
            midnight = order.occurred_at_ms // DAY_MS * DAY_MS
            leaves_at_ms = midnight + _NOON_MS + random.randrange(_NOON_MS)
            yield from browse_only(order, leaves_at_ms, self._catalogue, random)

    def _orders(self, day: date, *, shift_ms: int) -> Iterator[OrderCompleted]:
        for basket in self._purchases.between(day, day + timedelta(days=1)).baskets():
            yield order_of(basket, self._catalogue, shift_ms=shift_ms)

    def _outgoing(self, event: StoreEvent, headers: Headers = ()) -> Outgoing:
        topic, key = _destination(event)
        encoded = key.encode()
        partition = partition_of(encoded, self._n_partitions)
        value = encode(event)
        record = OutRecord(topic, partition, encoded, value, headers)
        kind = str(event.__struct_config__.tag)
        n_moved = len(event.products) if isinstance(event, OrderCompleted) else 0
        return Outgoing(record, kind, event.simulated, event.occurred_at_ms, n_moved)


def _destination(event: StoreEvent) -> tuple[str, str]:
    match event:
        case OrderEvent():
            return ORDERS.name, event.visitor_id
        case VisitorEvent():
            return EVENTS.name, event.visitor_id
        case StockEvent():
            return STOCK_LEVELS.name, event.product_id
    raise TypeError(f"{type(event).__name__} has no topic")


def _days(first: date, until: date) -> Iterator[date]:
    for number in range((until - first).days):
        yield first + timedelta(days=number)


class Bought(NamedTuple):
    """Product ids and when they were paid, in columns."""

    product_ids: list[str]
    at_ms: list[int]


class TrainingData(NamedTuple):
    """What the models may see: nothing from the replayed weeks.

    Attributes:
        households: What each bought, oldest first, catalogue only.
        demand: ``float32[product, day]``: units a day from the first day of the data.
        paid: The same shape, what a unit cost; NaN where none was bought.
        first_weekday: Weekday of the first day, Monday 0.
    """

    households: list[Bought]
    demand: NDArray[np.float32]
    paid: NDArray[np.float32]
    first_weekday: int


def training_data(purchases: Purchases, catalogue: Catalogue) -> TrainingData:
    """Everything before ``REPLAYED_FROM``."""
    product_ids = np.fromiter(catalogue.products, dtype=np.int32)
    first = date(2017, 1, 1)
    past = purchases.between(first, REPLAYED_FROM).of_products(product_ids)
    order = np.argsort(past.household_id, kind="stable")
    _, starts = np.unique(past.household_id[order], return_index=True)
    products = np.split(past.product_id[order], starts[1:])
    times = np.split(past.paid_at_ms[order], starts[1:])
    households = [
        Bought(list(map(str, of_one.tolist())), at_ms.tolist())
        for of_one, at_ms in zip(products, times, strict=True)
    ]
    rows = np.argsort(product_ids)
    row = rows[np.searchsorted(product_ids[rows], past.product_id)]
    demand = np.zeros((len(product_ids), (REPLAYED_FROM - first).days), dtype=np.float32)
    days = past.days() - start_of(first) // DAY_MS
    np.add.at(demand, (row, days), past.quantity)
    paid = mean_by_day(past.price, row, days, shape=demand.shape)
    return TrainingData(households, demand, paid, first.weekday())
