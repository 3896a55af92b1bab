"""The list as a planner reads it, and what is to be known beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from stream.domain.calendar import Calendar, date_of
from stream.domain.outputs import StockAlert
from stream.moments import moment
from stream.planning.present import StockList
from stream.planning.totals import totals_of
from stream.printable import printable
from stream.topics import STOCK_ALERTS

_MAX_NAME_CHARS = 40
#: What ids and names must have beside the figures, or there are no columns.
_MIN_PRODUCT_CHARS = 8


class _Column(NamedTuple):
    """Two things of an alert: beside each other where there is room, else below each other."""

    heads: tuple[str, str]
    stacked: str
    is_number: bool = False


_COLUMNS = (
    _Column(("product", "name"), "product\nand name"),
    _Column(("kind", "severity"), "kind,\nseverity"),
    _Column(("available", "reorder\npoint"), "available,\nreorder\npoint", is_number=True),
    _Column(
        ("days of\ncover P50", "days of\ncover P90"), "days of\ncover:\nP50, P90", is_number=True
    ),
    _Column(("stock-out\nP50", "stock-out\nP90"), "stock-out:\nP50, P90"),
    _Column(("order", "packs\nof"), "order,\npacks\nof", is_number=True),
    _Column(("at risk\na day", ""), "at risk\na day", is_number=True),
    _Column(("since", "snoozed\nuntil"), "since,\nsnoozed\nuntil"),
)
_Row = Sequence[tuple[str, str]]


def alerts_table(alerts: Sequence[StockAlert], calendar: Calendar, *, width: int) -> RenderableType:
    """Return *alerts*, a line each where *width* has room for it, else two or more."""
    rows = [_row(alert, calendar) for alert in alerts]
    wide = _Grid.wide(rows)
    stacked = _Grid.stacked(rows)
    if wide.width <= width:
        return wide.table()
    product, *others = stacked.widths
    if width - sum(others) >= min(product, _MIN_PRODUCT_CHARS):
        return stacked.table()
    return _one_below_the_other(rows)


def remarks(listed: StockList, *, n_shown: int) -> Iterator[str]:
    """Yield the totals, what was left out, and where to look next, a line each."""
    if not listed.alerts:
        yield _nothing(listed)
    else:
        yield from _totals(listed, n_shown)
    if listed.n_snoozed:
        yield _line("snoozed", f"{listed.n_snoozed:,} more wait for their deliveries: --snoozed")
    if listed.n_others:
        yield _line("others", f"{listed.n_others:,} more alerts are not of this choice")
    yield from circumstances(listed)
    if listed.alerts:
        yield _line("next", "every figure and the reasons: storestream stock --product ID")


def circumstances(listed: StockList) -> Iterator[str]:
    """Yield what could not be read, and how new the rest is."""
    if listed.n_unreadable:
        yield _line("unreadable", f"{listed.n_unreadable:,} last records in {STOCK_ALERTS.name}")
    if listed.as_of_ms is not None:
        yield _line(
            "as of", f"{moment(listed.as_of_ms, 'seconds')}, the latest message's event time"
        )


def _nothing(listed: StockList) -> str:
    if listed.n_snoozed or listed.n_others:
        return "No present alert is of this choice."
    return "No stock alert is present: nothing is the matter, or no `storestream worker` looks."


def _totals(listed: StockList, n_shown: int) -> Iterator[str]:
    n_alerts, totals = len(listed.alerts), totals_of(listed.alerts)
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in totals.by_kind.items())
    yield _line("alerts", f"{n_alerts:,} on {totals.n_products:,} products: {kinds}")
    if n_shown < n_alerts:
        yield _line("not shown", f"{n_alerts - n_shown:,} of these: --limit {n_alerts}")
    n_unpriced = totals.n_products - totals.n_priced
    told = f"{totals.at_risk_per_day:,.2f} a day over {totals.n_priced:,} products, each once"
    yield _line("at risk", f"{told}; {n_unpriced:,} more have no price")


def _line(what: str, told: str) -> str:
    return f"{what:<12} {told}"


def _row(alert: StockAlert, calendar: Calendar) -> _Row:
    """Return the cells of *alert*, in the order of the columns."""
    figures = alert.figures
    at_risk, name = figures.revenue_at_risk_per_day, alert.name or ""
    suggested, pack = figures.suggested_quantity, figures.pack_size
    return (
        (printable(alert.product_id), printable(name, _MAX_NAME_CHARS)),
        (alert.kind, alert.severity),
        (f"{figures.on_hand - figures.reserved:,}", f"{figures.reorder_point:,}"),
        (_days(figures.days_of_cover_p50), _days(figures.days_of_cover_p90)),
        (_date(figures.stock_out_date_p50), _date(figures.stock_out_date_p90)),
        (f"{suggested:,}" if suggested else "-", f"{pack:,}" if suggested and pack else ""),
        ("no price" if at_risk is None else f"{at_risk:,.2f}", ""),
        (date_of(calendar.day_of(alert.opened_at_ms)), printable(alert.snoozed_until or "")),
    )


def _days(days: float | None) -> str:
    return "> 1 year" if days is None else f"{days:,.1f}"


def _date(date: str | None) -> str:
    return printable(date or "-")


class _Grid(NamedTuple):
    """Cells in columns; the first of these gives way where there is too little room."""

    heads: Sequence[str]
    are_numbers: Sequence[bool]
    rows: Sequence[Sequence[str]]

    @classmethod
    def wide(cls, rows: Sequence[_Row]) -> _Grid:
        """Give each thing a column."""
        told = [(head, each.is_number) for each in _COLUMNS for head in each.heads if head]
        heads, are_numbers = zip(*told, strict=True)
        return cls(heads, are_numbers, [[cell for _, cell in _told(row)] for row in rows])

    @classmethod
    def stacked(cls, rows: Sequence[_Row]) -> _Grid:
        """Give two things a column."""
        cells = [["\n".join(pair).rstrip("\n") for pair in row] for row in rows]
        return cls([c.stacked for c in _COLUMNS], [c.is_number for c in _COLUMNS], cells)

    @property
    def widths(self) -> list[int]:
        """Of each column, with the gap behind it."""
        return [1 + max(map(_width_of, each)) for each in zip(self.heads, *self.rows, strict=True)]

    @property
    def width(self) -> int:
        return sum(self.widths)

    def table(self) -> Table:
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
        for ordinal, (head, is_number) in enumerate(zip(self.heads, self.are_numbers, strict=True)):
            justify: JustifyMethod = "right" if is_number else "left"
            table.add_column(Text(head), justify=justify, overflow="fold", no_wrap=ordinal > 0)
        for row in self.rows:
            table.add_row(*map(Text, row))
        return table


def _one_below_the_other(rows: Sequence[_Row]) -> Table:
    table = Table.grid(padding=(0, 1, 0, 0))
    for _ in range(2):
        table.add_column(overflow="fold")
    for row in rows:
        for head, cell in _told(row):
            if cell:
                table.add_row(head.replace("\n", " "), Text(cell))
        table.add_row()
    return table


def _told(row: _Row) -> Iterator[tuple[str, str]]:
    """Yield what *row* has, each thing with its head."""
    for column, pair in zip(_COLUMNS, row, strict=True):
        yield from ((head, cell) for head, cell in zip(column.heads, pair, strict=True) if head)


def _width_of(cell: str) -> int:
    return max(map(cell_len, cell.split("\n")))
