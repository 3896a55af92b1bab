"""``storestream stock``: reads the alerts' topic to its end, and tells what holds now."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable
from contextlib import aclosing

import msgspec
from rich.console import Console

from stream.broker_topics import BrokerTopics, shown
from stream.planning.choice import Choice
from stream.planning.figures import figures_of
from stream.planning.present import Present, StockList
from stream.planning.table import alerts_table, circumstances, remarks
from stream.printable import printable
from stream.settings import Settings
from stream.telemetry import configure_logging
from stream.topics import STOCK_ALERTS

#: Of output that goes to no terminal: rows stay whole.
_WIDTH_OF_FILES = 200
#: Alerts of a list for eyes, where no other number is told.
_N_SHOWN = 30


def list_stock(settings: Settings, choice: Choice, *, limit: int | None, as_json: bool) -> int:
    """Print the present alerts of *choice*; 1 where a product was asked for that has none.

    Args:
        limit: Alerts shown at most; None shows a screenful, and all to programs and of one product.
    """
    configure_logging(settings.log_level, settings.log_format)
    present = asyncio.run(_present(settings))
    listed = present.listed(choice)
    if as_json:
        _print_json(listed, limit)
    elif choice.product_id is None:
        _print_list(listed, limit or _N_SHOWN, settings)
    else:
        _print_product(listed, limit)
    if choice.product_id is None or listed.alerts:
        return 0
    name = printable(choice.product_id)
    sys.stderr.write(f"storestream: no alert of product {name} is present in this choice\n")
    return 1


async def _present(settings: Settings) -> Present:
    present = Present()
    topics = BrokerTopics(settings, [STOCK_ALERTS.name], purpose="stock")
    async with (
        topics.scan(STOCK_ALERTS.name) as scan,
        aclosing(shown(scan, f"Reading {STOCK_ALERTS.name}")) as spans,
    ):
        async for topic, partition, records in spans:
            for record in records:
                present.take(record, topic, partition)
    return present


def _print_list(listed: StockList, limit: int, settings: Settings) -> None:
    alerts, console = listed.alerts[:limit], _console()
    if alerts:
        calendar = settings.days.calendar()
        console.print(alerts_table(alerts, calendar, width=console.width))
    _print_lines(remarks(listed, n_shown=len(alerts)))


def _print_product(listed: StockList, limit: int | None) -> None:
    console = _console()
    for alert in listed.alerts[:limit]:
        console.print(figures_of(alert))
    _print_lines(circumstances(listed))


def _print_json(listed: StockList, limit: int | None) -> None:
    """Print ASCII only: what JSON may hold as it is, a terminal may obey."""
    for alert in listed.alerts[:limit]:
        sys.stdout.write(f"{json.dumps(msgspec.to_builtins(alert))}\n")
    if limit is not None and len(listed.alerts) > limit:
        sys.stderr.write(f"storestream: there are {len(listed.alerts)}: see --limit\n")
    if listed.n_unreadable:
        sys.stderr.write(f"storestream: {listed.n_unreadable} last records could not be read\n")


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")


def _console() -> Console:
    return Console() if sys.stdout.isatty() else Console(width=_WIDTH_OF_FILES)
