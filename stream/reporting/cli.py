"""The command ``storestream report``; like ``cli.py`` it only parses, and imports late."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from stream.settings import load


def report(
    since: Annotated[
        str | None, typer.Option(help="Shown since: ISO 8601 (UTC), or 2h ago (s, m, h, d, w).")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Shown before; the same. Clicks and purchases may be later.")
    ] = None,
    window_hours: Annotated[
        float,
        typer.Option(min=0.01, max=2400, help="A purchase counts so long after it was shown."),
    ] = 24,
    at_most: Annotated[
        int, typer.Option(min=1000, help="Shown recommendations held in memory, half a KiB each.")
    ] = 1_000_000,
    report: Annotated[
        Path | None, typer.Option(help="Write the figures to this JSON file.")
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option("--settings", help="TOML file; STORESTREAM_FILE names it as well."),
    ] = None,
) -> None:
    """Tell click-through and conversion of the recommendations, by variant, with their intervals."""
    from stream.reporting.command import run_report
    from stream.reporting.period import period_of

    period = period_of(since, until, window_hours=window_hours, now_ms=int(time.time() * 1000))
    raise typer.Exit(run_report(load(settings), period, max_held=at_most, report=report))
