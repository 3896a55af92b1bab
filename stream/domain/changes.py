"""What moved a shelf since it was counted: sales, receipts and corrections by their time."""

from __future__ import annotations

from bisect import bisect_left

#: Time in ms since the Unix epoch and signed units of everything that happened then.
Change = tuple[int, int]
Changes = tuple[Change, ...]

_MINUTE_MS = 60 * 1000
_HOUR_MS = 60 * _MINUTE_MS
#: What old changes are summed over, the first span that makes them few enough.
_SPANS_MS = (_MINUTE_MS, 15 * _MINUTE_MS, _HOUR_MS, 24 * _HOUR_MS)


def add(changes: Changes, at_ms: int, units: int, capacity: int) -> Changes:
    """Return *changes* in time order with *units* more at *at_ms*.

    Equal times are summed, so order of arrival leaves no trace. Beyond *capacity* the older half is
    summed by the minute, or longer where that is not enough, each sum at the last of its times: a
    count that is heard of after half as many later changes is off by what happened in its minute.
    """
    place = bisect_left(changes, (at_ms,))
    if place < len(changes) and changes[place][0] == at_ms:
        return (*changes[:place], (at_ms, changes[place][1] + units), *changes[place + 1 :])
    after = (*changes[:place], (at_ms, units), *changes[place:])
    return after if len(after) <= capacity else _coarser(after, capacity // 2)


def after(changes: Changes, as_of_ms: int) -> Changes:
    """Return those of *changes* that a count as of *as_of_ms* does not know of."""
    return changes[bisect_left(changes, (as_of_ms + 1,)) :]


def until(changes: Changes, as_of_ms: int) -> int:
    """Return the units of those of *changes* that happened by *as_of_ms*."""
    return sum(units for _, units in changes[: bisect_left(changes, (as_of_ms + 1,))])


def total(changes: Changes) -> int:
    """Return the units of all of *changes*."""
    return sum([units for _, units in changes])


def _coarser(changes: Changes, n_exact: int) -> Changes:
    """Return *changes* with the latest *n_exact* as they are, and at most half as many for the rest."""
    old, new = changes[:-n_exact], changes[-n_exact:]
    most = n_exact // 2
    for span_ms in _SPANS_MS:
        old = _summed(old, span_ms)
        if len(old) <= most:
            return (*old, *new)
    before, late = old[: 1 - most], old[1 - most :]
    return ((before[-1][0], total(before)), *late, *new)


def _summed(changes: Changes, span_ms: int) -> Changes:
    by_span: dict[int, Change] = {}
    for at_ms, units in changes:
        _, before = by_span.get(at_ms // span_ms, (at_ms, 0))
        by_span[at_ms // span_ms] = at_ms, before + units
    return tuple(by_span.values())
