"""Which products share orders, counted in bounded room.

Space-saving: a newcomer takes the place and the count of the rarest, so that a frequent one cannot
be missed (Metwally, Agrawal and El Abbadi 2005, "Efficient computation of frequent and top-k
elements in data streams", algorithm 1).
"""

from __future__ import annotations

from collections.abc import Iterable

#: Products and how often each was met, most often first, ties by id.
Counts = tuple[tuple[str, int], ...]


def count_in(counts: Counts, met: Iterable[str], capacity: int) -> Counts:
    """Return *counts* after meeting each of *met* once more; at most *capacity* products."""
    by_id = dict(counts)
    for product_id in met:
        floor = 0
        if product_id not in by_id and len(by_id) >= capacity:
            rarest = min(by_id, key=lambda id_: (by_id[id_], id_))
            floor = by_id.pop(rarest)
        by_id[product_id] = by_id.get(product_id, floor) + 1
    return tuple(sorted(by_id.items(), key=lambda entry: (-entry[1], entry[0])))
