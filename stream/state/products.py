"""How products are stored, and for how long."""

from __future__ import annotations

from stream.domain.products import Product
from stream.state.layout import Layout

VERSION = 1
_layout = Layout(Product, VERSION)

dump = _layout.dump
load = _layout.load


def is_expired(product: Product, now_ms: int, ttl_ms: int) -> bool:
    """Whether nothing happened for longer than *ttl_ms* and no alert is open: delete the key.

    An alert that may not have been told counts as open: nobody would tell it afterwards.

    *now_ms* is event time: against the wall clock a replay of last year would expire at once.
    """
    alert = product.alert
    is_open = alert is not None and (alert.is_open or not alert.is_told)
    return not is_open and now_ms - product.updated_at_ms > ttl_ms
