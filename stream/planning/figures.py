"""All that is known of an alert, field by field, so that its arithmetic can be redone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from stream.domain.outputs import LocationFigures, StockAlert
from stream.moments import moment
from stream.printable import printable

#: Of one text; an explanation has no limit of its own.
_MAX_CHARS = 20_000
_MAX_LOCATIONS = 200
#: What the absence of a figure means.
_ABSENT: Mapping[str, str] = {
    "days_of_cover_p50": "more than a year",
    "days_of_cover_p90": "more than a year",
    "days_since_sale": "never sold",
    "revenue_at_risk_per_day": "no price",
}
_SHOWN_APART = frozenset({"product_id", "name", "explanation", "figures", "locations"})


def figures_of(alert: StockAlert) -> RenderableType:
    """Return *alert* for a terminal: what it says in words, every figure, and its locations."""
    title = f"{printable(alert.product_id)}  {printable(alert.name or '')}".rstrip()
    fields = Table.grid(padding=(0, 2, 0, 0))
    fields.add_column(no_wrap=True)
    fields.add_column(overflow="fold")
    for struct in (alert, alert.figures):
        for name, told in _fields(struct):
            fields.add_row(Text(name), Text(told))
    parts: list[RenderableType] = [
        Text(f"{alert.kind}, {alert.severity}: {title}"),
        _indented(Text(printable(alert.explanation, _MAX_CHARS))),
        _indented(fields),
    ]
    if alert.figures.locations:
        parts.append(_indented(_locations(alert.figures.locations)))
    return Group(*parts, Text())


def _fields(struct: Struct) -> Iterator[tuple[str, str]]:
    for name in struct.__struct_fields__:
        if name not in _SHOWN_APART:
            yield name, _told(name, getattr(struct, name))


def _told(name: str, value: object) -> str:
    """Return *value* as a person reads it, with no rounding that a sum would show."""
    match value:
        case None:
            return _ABSENT.get(name, "none")
        case bool():
            return "yes" if value else "no"
        case int():
            return moment(value) if name.endswith("_ms") else f"{value:,}"
        case float():
            return f"{value:,.4f}".rstrip("0").rstrip(".")
        case _:
            return printable(str(value)) or "none"


def _locations(locations: tuple[LocationFigures, ...]) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("location", overflow="fold")
    for column in ("on hand", "reserved", "inbound"):
        table.add_column(column, justify="right")
    table.add_column("counted")
    for each in locations[:_MAX_LOCATIONS]:
        table.add_row(
            Text(printable(each.location) or "(none)"),
            *(f"{units:,}" for units in (each.on_hand, each.reserved, each.inbound)),
            "yes" if each.counted else "no",
        )
    n_more = len(locations) - _MAX_LOCATIONS
    return Group(table, Text(f"and {n_more:,} more: --json")) if n_more > 0 else table


def _indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, 2))
