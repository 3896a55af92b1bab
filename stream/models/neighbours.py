"""Which products visitors acted on together, and how much that says.

Item-based neighbours after Deshpande and Karypis (2004), "Item-based top-N recommendation
algorithms", section 4.2.2: how often two products occur together over how often each occurs, the
popular damped. Here steps count the less the more lie between them, a step forward more than one
back, and rare products are held back by a few occurrences that they do not have.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stream.models.acts import Row

#: Steps between two products that are looked at, and what each more leaves of the count.
_REACH = 10
_DECAY = 0.8
#: What a step back counts, against one forward.
_BACKWARD = 0.7
#: Exponents of the occurrences of the product at hand, and of its neighbour.
_DAMPED_FROM, _DAMPED_TO = 0.5, 0.3
#: Occurrences added to each product's own.
_HELD_BACK = 5.0

Counts = NDArray[np.float64]


def nearest(rows: Sequence[Row], n_products: int, n_neighbours: int) -> tuple[Tensor, Tensor]:
    """Return the nearest products of each index and how near they are, the nearest first.

    Returns:
        ``int32[n_products + 1, n_neighbours]`` and ``float32`` of the same shape, both 0 where a
        product has fewer. A product is a neighbour of itself where visitors come back to it.
    """
    neighbours = np.zeros((n_products + 1, n_neighbours), dtype=np.int32)
    nearness = np.zeros((n_products + 1, n_neighbours), dtype=np.float32)
    pairs, counts = _counted(rows, n_products + 1)
    one, other = np.divmod(pairs, n_products + 1)
    occurs = np.bincount(np.concatenate([*rows, _NONE]), minlength=n_products + 1) + _HELD_BACK
    near = counts / (occurs[one] ** _DAMPED_FROM * occurs[other] ** _DAMPED_TO)
    order = np.lexsort((other, -near, one))
    one, other, near = one[order], other[order], near[order]
    place = np.arange(len(one)) - np.searchsorted(one, one)
    kept = place < n_neighbours
    neighbours[one[kept], place[kept]] = other[kept]
    nearness[one[kept], place[kept]] = near[kept]
    return torch.from_numpy(neighbours), torch.from_numpy(nearness)


def _counted(rows: Sequence[Row], base: int) -> tuple[Row, Counts]:
    """Return ordered pairs as ``one * base + other``, each once, and what they count.

    A distance at a time, so that memory goes by the pairs that differ.
    """
    items = np.concatenate([*rows, _NONE])
    owners = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    pairs, counts = _NONE, np.empty(0, dtype=np.float64)
    for distance in range(1, _REACH + 1):
        together = owners[distance:] == owners[:-distance]
        earlier, later = items[:-distance][together], items[distance:][together]
        worth = _DECAY ** (distance - 1)
        found = np.concatenate((pairs, earlier * base + later, later * base + earlier))
        weights = (counts, np.full(len(earlier), worth), np.full(len(later), worth * _BACKWARD))
        pairs, inverse = np.unique(found, return_inverse=True)
        counts = np.bincount(inverse, np.concatenate(weights), len(pairs)).astype(np.float64)
    return pairs, counts


_NONE: Row = np.empty(0, dtype=np.int64)
