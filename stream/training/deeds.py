"""What a store's visitors did, in columns: what both models learn from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream.domain.prices import relative_prices
from stream.domain.trail import Kind
from stream.errors import Misconfigured
from stream.models.acts import History
from stream.models.demand_history import (
    UNKNOWN,
    DemandHistory,
    mean_by_day,
    open_steps,
)

DAY_MS = 24 * 3600 * 1000
MAX_DAYS = 2 * 365

Names = NDArray[np.object_]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Deeds:
    """Acts in columns of equal length, in order of time; what was done at once has one time.

    Attributes:
        visitors: Whose each is.
        products: Its product.
        at_ms: When it was; numbers that rise where only the order is known.
        kinds: ``domain.trail.Kind``.
        quantities: Units.
        prices: Of a unit, NaN where unknown; of all products in one currency, or of each.
    """

    visitors: Names
    products: Names
    at_ms: Numbers
    kinds: Numbers
    quantities: Numbers
    prices: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.at_ms)

    @property
    def sha256(self) -> str:
        """Of all columns, whatever they were read from."""
        digest = hashlib.sha256()
        for names in (self.visitors, self.products):
            digest.update("\n".join(names.tolist()).encode())
        for numbers in (self.at_ms, self.kinds, self.quantities, self.prices):
            digest.update(numbers.tobytes())
        return digest.hexdigest()

    def histories(self) -> list[History]:
        """Return what each visitor did, oldest first."""
        _, owners = np.unique(self.visitors.astype(str), return_inverse=True)
        order = np.argsort(owners, kind="stable")
        cuts = np.flatnonzero(np.diff(owners[order])) + 1
        columns = (np.split(each[order], cuts) for each in (self.products, self.at_ms, self.kinds))
        return [
            History(*(part.tolist() for part in of_one)) for of_one in zip(*columns, strict=True)
        ]

    def demand(self, min_count: int) -> DemandHistory:
        """Return the units sold a day, UTC, of products sold *min_count* times, and their weekdays.

        Of the last ``MAX_DAYS``: what sold before says little of what sells next. Unknown is what is
        before a product's first sale; closed are days without a sale of any product, however seldom
        those sold.

        Raises:
            Misconfigured: No product was sold so often.
        """
        last = int(self.at_ms.max()) // DAY_MS
        sold = (self.kinds == Kind.PURCHASE) & (self.at_ms // DAY_MS > last - MAX_DAYS)
        names, products, counts = np.unique(
            self.products[sold].astype(str), return_inverse=True, return_counts=True
        )
        days = self.at_ms[sold] // DAY_MS
        wanted = np.flatnonzero(counts >= min_count)
        if not len(wanted):
            raise Misconfigured(
                f"expected a product that was sold {min_count} times, got {len(names)} products, "
                f"sold up to {counts.max(initial=0)} times"
            )
        first = int(days.min())
        units = np.zeros((len(names), int(days.max()) - first + 1), dtype=np.float32)
        np.add.at(units, (products, days - first), self.quantities[sold])
        before = np.arange(units.shape[1]) < (units > 0).argmax(axis=1)[:, None]
        units[before] = UNKNOWN
        # 1 January 1970 was a Thursday.
        paid = mean_by_day(self.prices[sold], products, days - first, shape=units.shape)
        return DemandHistory.of(
            units[wanted],
            (first + 3) % 7,
            is_open=open_steps(units),
            price=relative_prices(paid[wanted], units[wanted]),
        )


def in_time(deeds: Deeds) -> Deeds:
    """Return *deeds* in order of time; those of one time stay in their order."""
    order = np.argsort(deeds.at_ms, kind="stable")
    return Deeds(
        deeds.visitors[order],
        deeds.products[order],
        deeds.at_ms[order],
        deeds.kinds[order],
        deeds.quantities[order],
        deeds.prices[order],
    )
