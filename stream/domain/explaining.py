"""An alert in words, with the figures that a planner can check."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stream.domain.outputs import AlertKind, StockFigures


def explain(
    kind: AlertKind,
    figures: StockFigures,
    *,
    is_over: bool = False,
    is_late: bool = False,
    snoozed_until: str | None = None,
) -> str:
    """Return what led to a message, and what is to be done, in a sentence or two.

    *is_late* says that the next delivery is.
    """
    if is_over:
        return _ENDS[kind](figures)
    told = _BEGINS[kind](figures)
    if is_late:
        told = f"{told} The delivery that was due {figures.next_delivery_date} is late."
    if snoozed_until is None:
        return told
    return f"{told} What is on the way will do, and no order comes sooner: nothing to decide until {snoozed_until}."


def _oversold(figures: StockFigures) -> str:
    beyond = figures.reserved - figures.on_hand
    if beyond > 0:
        said = f"{beyond} more were promised than are there ({_there(figures)})"
    else:
        places = ", ".join(
            f"{each.location or 'no location'} {each.on_hand}"
            for each in figures.locations
            if each.on_hand < 0 and each.counted
        )
        said = f"More was sold than is there at {places}, of {_there(figures)} in all"
    return f"{said}, {_selling(figures)}. {_reorder(figures)}"


def _out_of_stock(figures: StockFigures) -> str:
    return f"Nothing left to sell ({_there(figures)}), {_selling(figures)}. {_reorder(figures)}"


def _stockout_risk(figures: StockFigures) -> str:
    median = figures.stock_out_date_p50
    likely = f"gone by {median}" if median else "not gone within a year"
    return (
        f"{_there(figures)}, {_selling(figures)}: likely {likely}, if sales run high by "
        f"{figures.stock_out_date_p90}, and a reorder takes {figures.lead_time_days:g} days. "
        f"{_reorder(figures)}"
    )


def _low_stock(figures: StockFigures) -> str:
    todo = ": time to order" if figures.suggested_quantity else ""
    return f"{_there(figures)}, {_selling(figures)}{todo}. {_reorder(figures)}"


def _back_in_stock(figures: StockFigures) -> str:
    return f"Can be sold again: {_there(figures)}, {_selling(figures)}."


def _demand_spike(figures: StockFigures) -> str:
    usual = figures.usual_daily
    times = f", {figures.units_today / usual:.0f} times as many" if usual > 0 else ""
    said = f"{figures.units_today} ordered today, {usual:.1f} on an ordinary day{times}"
    if figures.on_hand - figures.reserved <= 0:
        return f"{said}: nothing left to sell ({_there(figures)})."
    cover = figures.days_of_cover_p50
    lasts = "over a year" if cover is None else f"{cover:.0f} days"
    return f"{said}: {_there(figures)} last {lasts} at the demand that is expected now."


def _overstock(figures: StockFigures) -> str:
    return (
        f"{_there(figures)}, {_selling(figures)}: {figures.excess_units} more than are wanted in "
        f"{figures.overstock_days:g} days."
    )


def _dead_stock(figures: StockFigures) -> str:
    return f"{_there(figures)}, and none was sold for {figures.days_since_sale} days."


def _shortage_over(figures: StockFigures) -> str:
    if figures.on_hand - figures.reserved <= 0:
        return "Nothing left to sell, and nobody asked for it of late: no longer missed."
    cover, end = figures.days_of_cover_p90, figures.stock_out_date_p90
    if figures.inbound:
        they, lasts = "together they last", None if end is None else f"until {end}"
    else:
        they, lasts = "they last", None if cover is None else f"{cover:.0f} days"
    long = "longer than a year" if lasts is None else f"{lasts} even if sales run high"
    return f"{_there(figures)}, {_selling(figures)}: {they} {long}."


def _return_over(figures: StockFigures) -> str:
    if figures.on_hand - figures.reserved <= 0:
        return f"Gone again: {_there(figures)}."
    return f"Back for a while: {_there(figures)}."


def _spike_over(figures: StockFigures) -> str:
    return f"{figures.units_today} ordered today, {figures.usual_daily:.1f} on an ordinary day."


def _excess_over(figures: StockFigures) -> str:
    return f"{_there(figures)}, {_selling(figures)}: no longer too many."


def _there(figures: StockFigures) -> str:
    parts = [f"{figures.on_hand} on hand"]
    if figures.reserved:
        parts.append(f"{figures.reserved} of them set aside")
    if figures.inbound:
        when = figures.next_delivery_date
        parts.append(f"{figures.inbound} on the way" + (f", next due {when}" if when else ""))
    return " and ".join(parts)


def _selling(figures: StockFigures) -> str:
    return f"about {figures.daily_demand:.1f} wanted a day"


def _reorder(figures: StockFigures) -> str:
    days = figures.lead_time_days + figures.review_days
    said = (
        f"Reorder point {figures.reorder_point}: {figures.daily_demand:.1f} a day over {days:g} days "
        f"of lead time and review, and {figures.safety_stock} for safety "
        f"({figures.service_level:.0%} service)"
    )
    if not figures.suggested_quantity:
        return f"{said}; no order is suggested."
    packs = f" in packs of {figures.pack_size}" if (figures.pack_size or 1) > 1 else ""
    return f"{said}; order {figures.suggested_quantity}{packs}."


_BEGINS: Mapping[AlertKind, Callable[[StockFigures], str]] = {
    "oversold": _oversold,
    "out_of_stock": _out_of_stock,
    "stockout_risk": _stockout_risk,
    "low_stock": _low_stock,
    "back_in_stock": _back_in_stock,
    "demand_spike": _demand_spike,
    "overstock": _overstock,
    "dead_stock": _dead_stock,
}
_ENDS: Mapping[AlertKind, Callable[[StockFigures], str]] = {
    "oversold": _shortage_over,
    "out_of_stock": _shortage_over,
    "stockout_risk": _shortage_over,
    "low_stock": _shortage_over,
    "back_in_stock": _return_over,
    "demand_spike": _spike_over,
    "overstock": _excess_over,
    "dead_stock": _excess_over,
}
