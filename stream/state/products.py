"""How products are stored, and for how long."""

from __future__ import annotations

import msgspec

from stream.domain.applied import Applied
from stream.domain.changes import Changes
from stream.domain.copurchase import Counts
from stream.domain.demand import DayUnits
from stream.domain.positions import Count, Incoming, Position
from stream.domain.products import AlertState, OriginMark, Product
from stream.state.layout import Layout

VERSION = 2


class _Level1(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A count of the shelf, of what of it was set aside, and of what was on the way."""

    as_of_ms: int
    partition: int
    offset: int
    on_hand: int
    reserved: int = 0
    inbound: int = 0


class _Version1(msgspec.Struct, frozen=True, array_like=True):
    """A product with one shelf and one alert, which was about a shortage."""

    product_id: str
    name: str | None = None
    name_told: int = -1
    price: float | None = None
    price_told: int = -1
    lead_time_days: float | None = None
    lead_time_told: int = -1
    level: _Level1 | None = None
    changes: Changes = ()
    demand: tuple[DayUnits, ...] = ()
    known_since_day: int | None = None
    bought_with: Counts = ()
    origins: tuple[OriginMark, ...] = ()
    applied: tuple[Applied, ...] = ()
    updated_at_ms: int = 0
    alert: AlertState | None = None
    received: Changes = ()


_read_version_1 = msgspec.msgpack.Decoder(_Version1).decode


def _upgraded(stored: bytes) -> Product:
    old = _read_version_1(stored)
    return Product(
        product_id=old.product_id,
        name=old.name,
        name_told=old.name_told,
        price=old.price,
        price_told=old.price_told,
        lead_time_days=old.lead_time_days,
        lead_time_told=old.lead_time_told,
        positions=_position_of(old),
        demand=old.demand,
        known_since_day=old.known_since_day,
        bought_with=old.bought_with,
        origins=old.origins,
        applied=old.applied,
        updated_at_ms=old.updated_at_ms,
        alerts=() if old.alert is None else (old.alert,),
    )


def _position_of(old: _Version1) -> tuple[Position, ...]:
    level = old.level
    if level is None:
        return (Position("", changes=old.changes),) if old.changes else ()
    at = level.as_of_ms, level.partition, level.offset
    return (
        Position(
            "",
            level=Count(*at, level.on_hand),
            changes=old.changes,
            held=Count(*at, level.reserved),
            incoming=Incoming(*at, level.inbound),
            received=old.received,
        ),
    )


_layout = Layout(Product, VERSION, {1: _upgraded})

dump = _layout.dump
load = _layout.load


def is_expired(product: Product, now_ms: int, ttl_ms: int) -> bool:
    """Whether nothing happened for longer than *ttl_ms* and no alert is open: delete the key.

    An alert that may not have been told counts as open: nobody would tell it afterwards.

    *now_ms* is event time: against the wall clock a replay of last year would expire at once.
    """
    is_open = any(alert.is_open or not alert.is_told for alert in product.alerts)
    return not is_open and now_ms - product.updated_at_ms > ttl_ms
