"""What prices are planned for: promotions, and changes ahead, by the store's own day.

Plans are laid over each other in the order in which they were told, not heard of: each day has the price
that was last told for it. So neither repeats nor the order of arrival leave a trace, up to ``MAX_PLANS``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from stream.domain.applied import Source
from stream.domain.calendar import Calendar
from stream.domain.events import PricePlanned
from stream.model_specs import HISTORY_DAYS, HORIZON_DAYS

#: Runs of days that a product remembers the planned price of; beyond it those farthest ahead are
#: forgotten. More than the days that a forecast reads: a price list that is told anew each night
#: leaves a run a day behind, and must not push out what is ahead.
MAX_PLANS = HISTORY_DAYS + HORIZON_DAYS + 16


class PlannedPrice(Struct, frozen=True, array_like=True, gc=False):
    """The price planned for a run of days.

    Attributes:
        until_day: The day after the last one.
        told_at_ms: When it was planned; the two fields after it tell plans of one time apart.
        price: None where it was withdrawn: remembered, since what it withdraws may be heard of later.
    """

    first_day: int
    until_day: int
    told_at_ms: int
    partition: int
    offset: int
    price: float | None


Plans = tuple[PlannedPrice, ...]


def planned_by(event: PricePlanned, source: Source, calendar: Calendar) -> PlannedPrice:
    """Return the days that *event* is about; a day of which it is about a part is one of them."""
    return PlannedPrice(
        calendar.day_of(event.begins_at_ms),
        calendar.day_of(event.ends_at_ms - 1) + 1,
        event.occurred_at_ms,
        source.partition,
        source.offset,
        event.price,
    )


def with_plan(plans: Plans, plan: PlannedPrice, calendar: Calendar) -> Plans:
    """Return *plans*, in the order of their days, with *plan* for each day that no later one is for.

    Without days so long past that no forecast reads them, as of the latest of *plans*.
    """
    if plan.until_day <= _since_day(plan.told_at_ms, calendar):
        return plans
    since = _since_day(max(each.told_at_ms for each in (plan, *plans)), calendar)
    laid = [
        *(each for each in plans if each.until_day <= plan.first_day),
        *_laid_over([each for each in plans if _overlap(each, plan)], plan),
        *(each for each in plans if each.first_day >= plan.until_day),
    ]
    kept = [_between(each, max(each.first_day, since), each.until_day) for each in laid]
    return tuple(_joined(kept)[:MAX_PLANS])


def _since_day(now_ms: int, calendar: Calendar) -> int:
    """Return the first day that a forecast reads."""
    return calendar.day_of(now_ms) - HISTORY_DAYS + 1


def _overlap(one: PlannedPrice, other: PlannedPrice) -> bool:
    return one.first_day < other.until_day and other.first_day < one.until_day


def _laid_over(others: Iterable[PlannedPrice], plan: PlannedPrice) -> Iterator[PlannedPrice]:
    """Cut *plan* and *others*, which overlap with it and not with each other, where they meet."""
    day = plan.first_day
    for each in others:
        first, until = max(day, each.first_day), min(each.until_day, plan.until_day)
        yield _between(plan, day, first)
        yield _between(each, each.first_day, first)
        yield _between(max(each, plan, key=_telling), first, until)
        yield _between(each, until, each.until_day)
        day = until
    yield _between(plan, day, plan.until_day)


def _between(plan: PlannedPrice, first_day: int, until_day: int) -> PlannedPrice:
    return replace(plan, first_day=first_day, until_day=until_day)


def _joined(plans: Iterable[PlannedPrice]) -> list[PlannedPrice]:
    """Join runs of one plan that follow each other, so that equal plans are equal values."""
    joined: list[PlannedPrice] = []
    for each in plans:
        last = joined[-1] if joined else None
        if last is not None and each == _between(last, last.until_day, each.until_day):
            joined[-1] = _between(last, last.first_day, each.until_day)
        elif each.first_day < each.until_day:
            joined.append(each)
    return joined


def _telling(plan: PlannedPrice) -> tuple[int, int, int]:
    return plan.told_at_ms, plan.partition, plan.offset
