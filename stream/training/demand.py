"""Units wanted a day of each product, by the store's own days: what the forecaster learns from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.domain.calendar import UTC_DAYS, Calendar, weekday_of
from stream.domain.prices import relative_prices
from stream.domain.trail import Kind
from stream.errors import Misconfigured
from stream.models.demand_history import (
    UNKNOWN,
    DemandHistory,
    mean_by_day,
    open_steps,
    without_sold_out,
)
from stream.training.deeds import Deeds, Names, Numbers
from stream.training.shelves import Droughts

MAX_DAYS = 2 * 365

_Units = NDArray[np.float32]
_Days = NDArray[np.bool_]


def demand_of(deeds: Deeds, min_count: int, calendar: Calendar = UTC_DAYS) -> DemandHistory:
    """Return the units wanted a day of products sold *min_count* times, and their weekdays.

    Of the last ``MAX_DAYS``: what sold before says little of what sells next. Units count as workers
    count them: less those cancelled, and with those that came back. Unknown is what is before a
    product's first sale, or would say of a day on which it was sold out that little was wanted; days
    sold out are not believed of a product that has sold on no other ones. Closed are days on which
    *calendar* says so, or no product sold anything, however seldom those sold.

    Raises:
        Misconfigured: No product was sold so often.
    """
    days = calendar.days_of(deeds.at_ms)
    is_sale = (deeds.kinds == Kind.PURCHASE) & (days > days.max() - MAX_DAYS)
    names, products, counts = np.unique(
        deeds.products[is_sale].astype(str), return_inverse=True, return_counts=True
    )
    wanted = _wanted(counts, min_count)
    span = range(int(days[is_sale].min()), int(days[is_sale].max()) + 1)
    at, shape = (products, days[is_sale] - span.start), (len(names), len(span))
    ordered = np.zeros(shape, dtype=np.float32)
    np.add.at(ordered, at, deeds.quantities[is_sale])
    paid = mean_by_day(deeds.prices[is_sale], *at, shape=shape)
    cancelled = _cancelled(deeds, days - span.start, names[wanted], n_days=len(span))
    units = _known_from_first_sale(ordered[wanted], less_cancelled(ordered[wanted], cancelled))
    is_sold_out = _sold_out(deeds.droughts, names[wanted], span, calendar)
    units = without_sold_out(units, _believed(is_sold_out, units))
    return DemandHistory.of(
        units,
        weekday_of(span.start),
        is_open=open_steps(ordered) & calendar.opening(span.start, len(span)),
        price=relative_prices(paid[wanted], units),
    )


def less_cancelled(ordered: _Units, cancelled: _Units) -> _Units:
    """Return what of *ordered* was wanted after all, ``float32[product, day]``, no day below 0.

    What a day cannot give is taken off the days before it, as ``domain.demand.sold`` has it.
    """
    net = ordered - cancelled
    owed = np.zeros(len(net), dtype=np.float32)
    for day in reversed(range(net.shape[1])):
        left = net[:, day] - owed
        net[:, day] = np.maximum(left, 0)
        owed = np.maximum(-left, 0)
    return net


def _wanted(counts: Numbers, min_count: int) -> Numbers:
    wanted = np.flatnonzero(counts >= min_count)
    if not len(wanted):
        raise Misconfigured(
            f"expected a product that was sold {min_count} times, got {len(counts)} products, "
            f"sold up to {counts.max(initial=0)} times"
        )
    return wanted


def _known_from_first_sale(ordered: _Units, units: _Units) -> _Units:
    is_before = np.arange(ordered.shape[1]) < (ordered > 0).argmax(axis=1)[:, None]
    return np.where(is_before, np.float32(UNKNOWN), units)


def _cancelled(deeds: Deeds, days: Numbers, names: Names, *, n_days: int) -> _Units:
    """Return units cancelled, ``float32[product, day]``; those of a day after the last are its own."""
    is_cancel = (deeds.kinds == Kind.CANCEL) & (days >= 0)
    products, is_named = _places(deeds.products[is_cancel], names)
    at = products[is_named], np.minimum(days[is_cancel], n_days - 1)[is_named]
    cancelled = np.zeros((len(names), n_days), dtype=np.float32)
    np.add.at(cancelled, at, deeds.quantities[is_cancel][is_named])
    return cancelled


def _sold_out(droughts: Droughts, names: Names, span: range, calendar: Calendar) -> _Days:
    """Return the days on which nothing could be sold, ``bool[product, day]``.

    As of workers (``domain.products.observed``) the day on which it can be sold again counts as any
    other, unless it was gone on that day itself.
    """
    products, is_named = _places(droughts.products, names)
    begin = calendar.days_of(droughts.since_ms[is_named]) - span.start
    end = np.maximum(calendar.days_of(droughts.until_ms[is_named]) - span.start, begin + 1)
    # One more where a drought begins and one less where it ends: it lasts where the sum is above 0.
    steps = np.zeros((len(names), len(span) + 1), dtype=np.int32)
    np.add.at(steps, (products[is_named], begin.clip(0, len(span))), 1)
    np.add.at(steps, (products[is_named], end.clip(0, len(span))), -1)
    is_sold_out: _Days = steps.cumsum(axis=1)[:, :-1] > 0
    return is_sold_out


def _believed(is_sold_out: _Days, units: _Units) -> _Days:
    """Return *is_sold_out* without products that have sold on no other days: nobody filled that shelf."""
    has_sold = ((units > 0) & ~is_sold_out).any(axis=1)
    believed: _Days = is_sold_out & has_sold[:, None]
    return believed


def _places(products: Names, names: Names) -> tuple[Numbers, _Days]:
    """Return where each of *products* is among *names*, which are sorted, and whether it is."""
    texts = products.astype(str)
    places = np.minimum(np.searchsorted(names, texts), len(names) - 1)
    return places, names[places] == texts
