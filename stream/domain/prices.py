"""What a unit cost by day, and over the usual price: as the forecaster is taught, and as it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from stream.domain.price_plans import Plans
from stream.model_specs import HISTORY_DAYS, HORIZON_DAYS

#: A day's prices: the day since the Unix epoch, their sum in millionths, and their number. Stored in
#: state as they are: never change. One string is read, copied and written in a fraction of the time
#: that as many tuples take, each time that a product is touched.
_ENTRY = Struct("<iqI")
_ENTRIES = np.dtype([("day", "<i4"), ("micros", "<i8"), ("n_lines", "<u4")])
_MICROS = 1_000_000
#: What would be more is the most, so that sums of any order are equal.
_MOST_MICROS, _MOST_LINES = 2**63 - 1, 2**32 - 1

_DAYS_A_WEEK = 7
#: Share of a product's days on which its price must be seen, and the logarithm of the farthest one:
#: what is beyond is a mistake or a bulk.
_MIN_SHARE_PRICED, _FARTHEST_PRICE = 0.4, 1.0

#: What was paid for a unit on each of the last days that has a price, oldest first: ``_ENTRY`` each.
Paid = bytes
#: ``float32[product, day]``, NaN where unknown.
Prices = NDArray[np.float32]
#: ``float32[product, day]``, 0 where unknown.
RelativePrices = NDArray[np.float32]
#: ``float32[product, day]``, negative where unknown.
Sold = NDArray[np.float32]


# --- What was paid -----------------------------------------------------------------------------


def with_price(paid: Paid, day: int, price: float) -> Paid:
    """Return *paid* with one line more, of *day*; without days too old for the forecaster.

    Old is measured from the latest day of *paid*, so the order of arrival leaves no trace.
    """
    place = _place(paid, day)
    before, after = paid[:place], paid[place:]
    micros, n_lines = round(price * _MICROS), 1
    if after and _day_at(after, 0) == day:
        _, of_others, n_others = _ENTRY.unpack_from(after)
        micros, n_lines, after = micros + of_others, n_lines + n_others, after[_ENTRY.size :]
    entry = _ENTRY.pack(day, min(micros, _MOST_MICROS), min(n_lines, _MOST_LINES))
    return _recent(before + entry + after)


def _place(paid: Paid, day: int) -> int:
    """Return where the first entry of *day*, or of a later one, begins; from the end: most are of today."""
    place = len(paid)
    while place and _day_at(paid, place - _ENTRY.size) >= day:
        place -= _ENTRY.size
    return place


def _recent(paid: Paid) -> Paid:
    since, place = _day_at(paid, len(paid) - _ENTRY.size) - HISTORY_DAYS + 1, 0
    while _day_at(paid, place) < since:
        place += _ENTRY.size
    return paid[place:]


def _day_at(paid: Paid, place: int) -> int:
    day: int = _ENTRY.unpack_from(paid, place)[0]
    return day


def paid_by_day(paid: Sequence[Paid], first_day: int, n_days: int) -> Prices:
    """Return what a unit cost on *first_day* and the days after, the mean of a day's lines."""
    entries = np.frombuffer(b"".join(paid), _ENTRIES)
    rows = np.repeat(np.arange(len(paid)), [len(each) // _ENTRY.size for each in paid])
    days = entries["day"] - first_day
    is_asked = (days >= 0) & (days < n_days)
    asked = entries[is_asked]
    prices = np.full((len(paid), n_days), np.nan, dtype=np.float32)
    prices[rows[is_asked], days[is_asked]] = asked["micros"] / asked["n_lines"] / _MICROS
    return prices


def planned_by_day(plans: Sequence[Plans], first_day: int, n_days: int) -> Prices:
    """Return what is planned for *first_day* and the days after."""
    prices = np.full((len(plans), n_days), np.nan, dtype=np.float32)
    for row, of_one in enumerate(plans):
        for each in of_one:
            if each.price is not None and each.until_day > first_day:
                span = slice(max(0, each.first_day - first_day), each.until_day - first_day)
                prices[row, span] = each.price
    return prices


# --- Over the usual one ------------------------------------------------------------------------


def relative_prices(paid: Prices, sold: Sold) -> RelativePrices:
    """Return the logarithm of each day's price over the product's usual one.

    A price is that of its week, and the usual one the median of all days. It is known where something
    sold, so that of a product that seldom sells would tell that it did: its prices stay unknown, 0.

    Args:
        paid: What a unit cost.
        sold: Units on the same days; those on which a product was not known yet are negative.
    """
    return _over(_usual(paid, sold), _by_week(paid))


def prices_around(
    paid: Sequence[Paid], plans: Sequence[Plans], sold: Sold, today: int
) -> RelativePrices:
    """Return the prices that a forecaster asked at the end of *today* reads.

    Of the days read those of :func:`relative_prices`; where nothing was paid, what was planned counts.
    Of the days ahead what is planned for each, and otherwise the usual price.

    All are unknown, 0, where nothing was ever told of the price of any of these days: then the store may
    not tell what it plans. The network takes the price ahead for true, and forecasts worse with the
    usual one, or with today's carried on, than with none where that is not what comes; a forecast
    without any it was taught as well.

    Args:
        sold: ``float32[product, HISTORY_DAYS]``, up to *today*.

    Returns:
        ``float32[product, HISTORY_DAYS + HORIZON_DAYS]``.
    """
    first_day, n_days = today - HISTORY_DAYS + 1, HISTORY_DAYS + HORIZON_DAYS
    around = np.zeros((len(paid), n_days), dtype=np.float32)
    told = [row for row, of_one in enumerate(plans) if _is_any_of(of_one, first_day, n_days)]
    if told:
        past = paid_by_day([paid[row] for row in told], first_day, HISTORY_DAYS)
        planned = planned_by_day([plans[row] for row in told], first_day, n_days)
        read = np.where(past > 0, past, planned[:, :HISTORY_DAYS])
        known = np.concatenate((_by_week(read), planned[:, HISTORY_DAYS:]), axis=1)
        around[told] = _over(_usual(past, sold[told]), known)
    return around


def _is_any_of(plans: Plans, first_day: int, n_days: int) -> bool:
    until_day = first_day + n_days
    return any(each.first_day < until_day and each.until_day > first_day for each in plans)


def _usual(paid: Prices, sold: Sold) -> Prices:
    """Return the median price of each product, NaN where it is not seen often enough."""
    seen = np.where(paid > 0, paid, np.nan)
    n_known = np.maximum((sold >= 0).sum(axis=1), 1)
    is_seen = np.isfinite(seen).sum(axis=1) >= _MIN_SHARE_PRICED * n_known
    return np.where(is_seen, _median(seen), np.float32(np.nan))


def _by_week(prices: Prices) -> Prices:
    """Return the median of each day's week, the first of which begins with the first day."""
    n_products, n_days = prices.shape
    n_weeks = -(-n_days // _DAYS_A_WEEK)
    whole = np.full((n_products, n_weeks * _DAYS_A_WEEK), np.nan, dtype=np.float32)
    whole[:, :n_days] = np.where(prices > 0, prices, np.nan)
    of_week = _median(whole.reshape(n_products, n_weeks, _DAYS_A_WEEK))
    return np.repeat(of_week, _DAYS_A_WEEK, axis=1)[:, :n_days]


def _over(usual: Prices, prices: Prices) -> RelativePrices:
    lowest = usual * np.float32(np.exp(-_FARTHEST_PRICE))  # what is free has no logarithm
    over_usual = np.log(np.maximum(prices, lowest[:, None]) / usual[:, None])
    known: RelativePrices = np.nan_to_num(over_usual.clip(-_FARTHEST_PRICE, _FARTHEST_PRICE))
    return known


def _median(prices: Prices) -> Prices:
    """Return the median over the last axis without what is unknown, NaN where all is.

    ``np.nanmedian`` warns of these, and takes many times as long.
    """
    rising = np.sort(prices, axis=-1)  # NaN last
    n_known = np.isfinite(prices).sum(axis=-1, keepdims=True)
    middle = np.concatenate((np.maximum(n_known - 1, 0) // 2, n_known // 2), axis=-1)
    median: Prices = np.take_along_axis(rising, middle, axis=-1).mean(axis=-1, dtype=np.float32)
    return median
