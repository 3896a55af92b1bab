"""What a store's visitors did, in columns, and what they could not buy: what both models learn from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stream.domain.trail import Kind
from stream.models.acts import History
from stream.training.shelves import NO_DROUGHTS, Droughts

Names = NDArray[np.object_]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Deeds:
    """Acts in columns of equal length, in order of time; what was done at once has one time.

    Attributes:
        visitors: Whose each is.
        products: Its product.
        at_ms: When it was; numbers that rise where only the order is known. What was cancelled has the
            time at which it was ordered, where that is known.
        kinds: ``domain.trail.Kind``.
        quantities: Units.
        prices: Of a unit, NaN where unknown; of all products in one currency, or of each.
        droughts: When products were sold out, as far as that is known.
    """

    visitors: Names
    products: Names
    at_ms: Numbers
    kinds: Numbers
    quantities: Numbers
    prices: NDArray[np.float64]
    droughts: Droughts = NO_DROUGHTS

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
        dry = self.droughts
        digest.update("\n".join(dry.products.tolist()).encode())
        for times in (dry.since_ms, dry.until_ms):
            digest.update(times.tobytes())
        return digest.hexdigest()

    def histories(self) -> list[History]:
        """Return what each visitor did, oldest first; an order that was cancelled was placed."""
        done = np.flatnonzero(self.kinds != Kind.CANCEL)
        _, owners = np.unique(self.visitors[done].astype(str), return_inverse=True)
        order = np.argsort(owners, kind="stable")
        cuts = np.flatnonzero(np.diff(owners[order])) + 1
        columns = (
            np.split(each[done[order]], cuts) for each in (self.products, self.at_ms, self.kinds)
        )
        return [
            History(*(part.tolist() for part in of_one)) for of_one in zip(*columns, strict=True)
        ]


def in_time(deeds: Deeds) -> Deeds:
    """Return *deeds* in order of time; those of one time stay in their order."""
    order = np.argsort(deeds.at_ms, kind="stable")
    return replace(
        deeds,
        visitors=deeds.visitors[order],
        products=deeds.products[order],
        at_ms=deeds.at_ms[order],
        kinds=deeds.kinds[order],
        quantities=deeds.quantities[order],
        prices=deeds.prices[order],
    )
