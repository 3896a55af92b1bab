"""What moved a shelf since it was counted: sales, receipts and corrections by their time."""

from __future__ import annotations

from bisect import bisect_left

#: Time in ms since the Unix epoch and signed units of everything that happened then.
Change = tuple[int, int]
Changes = tuple[Change, ...]


def add(changes: Changes, at_ms: int, units: int, capacity: int) -> Changes:
    """Return *changes* in time order with *units* more at *at_ms*.

    Equal times are summed, so order of arrival leaves no trace. Beyond *capacity* the two oldest
    become one at the later of their times: a count that falls between the two is then off.
    """
    place = bisect_left(changes, (at_ms,))
    if place < len(changes) and changes[place][0] == at_ms:
        return (*changes[:place], (at_ms, changes[place][1] + units), *changes[place + 1 :])
    after = (*changes[:place], (at_ms, units), *changes[place:])
    if len(after) <= capacity:
        return after
    (_, oldest), (merged_ms, next_oldest), *rest = after
    return ((merged_ms, oldest + next_oldest), *rest)


def after(changes: Changes, as_of_ms: int) -> Changes:
    """Return those of *changes* that a count as of *as_of_ms* does not know of."""
    return changes[bisect_left(changes, (as_of_ms + 1,)) :]
