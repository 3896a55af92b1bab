"""Alerts added up: how many there are of each kind, and what is at risk."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from stream.domain.outputs import AlertKind, StockAlert
from stream.planning.choice import KINDS


class Totals(NamedTuple):
    """What some alerts come to.

    Attributes:
        by_kind: Alerts of each kind that there are any of.
        n_priced: Products with a price.
        at_risk_per_day: Over these, each once, in the currency of the prices; an alert has none.
    """

    by_kind: Mapping[AlertKind, int]
    n_products: int
    n_priced: int
    at_risk_per_day: float


def totals_of(alerts: Iterable[StockAlert]) -> Totals:
    """Add *alerts* up.

    A product with several alerts counts once, with the most that one of them says: what is at risk
    is the product's, and an alert of too much of it says 0.
    """
    kinds: Counter[AlertKind] = Counter()
    product_ids: set[str] = set()
    at_risk: dict[str, float] = {}
    for alert in alerts:
        kinds[alert.kind] += 1
        product_ids.add(alert.product_id)
        amount = alert.figures.revenue_at_risk_per_day
        if amount is not None:
            at_risk[alert.product_id] = max(amount, at_risk.get(alert.product_id, 0.0))
    return Totals(
        by_kind={kind: kinds[kind] for kind in KINDS if kinds[kind]},
        n_products=len(product_ids),
        n_priced=len(at_risk),
        at_risk_per_day=math.fsum(at_risk.values()),
    )
