"""The command ``storestream stock``; like ``cli.py`` it only parses, and imports late."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stream.settings import load


def stock(
    kind: Annotated[
        list[str] | None,
        typer.Option(help="Only of this kind, as out_of_stock; may be given several times."),
    ] = None,
    situation: Annotated[
        str | None, typer.Option(help="Only this: demand, excess, return or shortage.")
    ] = None,
    min_severity: Annotated[
        str, typer.Option(help="At least so severe: info, warning, high or critical.")
    ] = "info",
    snoozed: Annotated[
        bool | None,
        typer.Option(
            "--snoozed/--no-snoozed",
            help="Also what its deliveries will end. Without it what is critical, or of --product.",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Alerts shown: 30, or all with --json or --product.")
    ] = None,
    product: Annotated[
        str | None,
        typer.Option(help="Every figure of this product, by its id; exit with 1 without an alert."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="For machines: an alert a line, all of it.")
    ] = False,
    settings: Annotated[
        Path | None,
        typer.Option("--settings", help="TOML file; STORESTREAM_FILE names it as well."),
    ] = None,
) -> None:
    """List the present stock alerts, what costs most a day first, and add them up."""
    from stream.planning.choice import choice_of
    from stream.planning.command import list_stock

    choice = choice_of(
        kinds=kind or (),
        situation=situation,
        min_severity=min_severity,
        product_id=product,
        snoozed=snoozed,
    )
    raise typer.Exit(list_stock(load(settings), choice, limit=limit, as_json=as_json))
