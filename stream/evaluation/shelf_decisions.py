"""What our alerts say to order: ``stream.domain.assessment``, for all shelves at once.

The one place where the evaluation knows how the worker decides. ``orders_by_assess`` asks the
worker's own code about one shelf; ``orders_at`` is the same for all of them, which a replay of
thousands of shelves over months needs. A test holds the two together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.domain.assessment import assess
from stream.domain.outlook import EPSILON
from stream.domain.policy import StockPolicy
from stream.domain.positions import Count, Incoming, Position
from stream.domain.products import Product
from stream.domain.quantiles import at_level
from stream.evaluation.shop import Counts
from stream.evaluation.warehouse import REVIEW_DAYS


def orders_at(
    cumulative: NDArray[np.float32], position: Counts, lead_days: int, *, service_level: float
) -> Counts:
    """Return units to order: where *position* is at or below the reorder point, what is suggested.

    Args:
        cumulative: ``float32[product, HORIZON_DAYS, quantile]``, as the forecaster answers.
        position: ``int64[product]``: on the shelf and on the way.
    """
    high = at_level(cumulative, service_level)
    protection = lead_days + REVIEW_DAYS
    reorder_point = nearest(_wanted(high, protection))
    suggested = np.maximum(reorder_point - position, 0)
    orders: Counts = np.where(position <= reorder_point, suggested, 0)
    return orders


def orders_by_assess(
    cumulative: NDArray[np.float32],
    *,
    on_hand: int,
    inbound: int,
    lead_days: int,
    service_level: float,
) -> int:
    """Return the same for one shelf, from the figures of the worker's alert.

    Args:
        cumulative: ``float32[HORIZON_DAYS, quantile]``.
    """
    position = Position(level=Count(0, 0, 0, on_hand), incoming=Incoming(0, 0, 0, inbound))
    product = Product("shelf", positions=(position,))
    policy = StockPolicy(
        service_level=service_level,
        lead_time_days=float(lead_days),
        review_days=float(REVIEW_DAYS),
        order_days=0.0,  # everybody orders daily, up to a level
    )
    figures = assess(product, cumulative, 0, policy).figures
    is_low = on_hand + inbound <= figures.reorder_point
    return figures.suggested_quantity if is_low else 0


def nearest(units: NDArray[np.float32]) -> Counts:
    """Return the counts that quantiles between counts stand for, as ``stream.domain.outlook`` does."""
    counts: Counts = np.floor(units.astype(float) + 0.5 + EPSILON).astype(np.int64)
    return counts


def _wanted(by_day: NDArray[np.float32], days: int) -> NDArray[np.float32]:
    """Return units wanted over *days*, at most as many as the forecaster looks ahead."""
    wanted: NDArray[np.float32] = by_day[:, days - 1]
    return wanted
