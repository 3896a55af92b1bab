"""Acts as columns, for tests: of one visitor, on days counted from a Monday."""

from __future__ import annotations

import numpy as np

from stream.domain.calendar import DAY_MS
from stream.domain.trail import Kind
from stream.training.deeds import Deeds, in_time
from stream.training.shelves import Droughts

MONDAY_MS = 4 * DAY_MS
HOUR_MS = DAY_MS // 24

Act = tuple[str, str, int, Kind, int]


def make_deeds(*acts: Act, droughts: tuple[tuple[str, int, int], ...] = ()) -> Deeds:
    visitors, products, *numbers = zip(*acts, strict=True)
    at_ms, kinds, quantities = (np.array(column, dtype=np.int64) for column in numbers)
    return in_time(
        Deeds(
            np.array(visitors, object),
            np.array(products, object),
            at_ms,
            kinds,
            quantities,
            np.full(len(visitors), np.nan),
            Droughts.of(droughts),
        )
    )


def sold(product_id: str, day: int, units: int = 1, *, hour: float = 0.1) -> Act:
    return ("ann", product_id, at(day, hour), Kind.PURCHASE, units)


def cancelled(product_id: str, day: int, units: int = 1) -> Act:
    return ("ann", product_id, at(day, 1), Kind.CANCEL, units)


def at(day: int, hour: float = 0) -> int:
    return MONDAY_MS + day * DAY_MS + int(hour * HOUR_MS)
