"""The commands ``storestream dead-letters``; like ``cli.py`` it only parses, and imports late."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from stream.settings import load

app = typer.Typer(help="See what was set aside and why; send it back.", no_args_is_help=True)

SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", help="TOML file; STORESTREAM_FILE names it as well."),
]
Topic = Annotated[str | None, typer.Option(help="Only of this topic.")]
Reason = Annotated[str | None, typer.Option(help="Only with this reason, as list says it.")]
Since = Annotated[
    str | None, typer.Option(help="Set aside since: ISO 8601 (UTC), or 2h ago (s, m, h, d, w).")
]
Until = Annotated[str | None, typer.Option(help="Set aside before; the same.")]


@app.command("list")
def list_(
    topic: Topic = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    settings: SettingsFile = None,
) -> None:
    """Count dead letters by topic and reason; what may be shown or replayed next."""
    from stream.dead_letters.choice import choice_of
    from stream.dead_letters.command import list_letters

    choice = choice_of(topic=topic, reason=reason, since=since, until=until, now_ms=_now_ms())
    raise typer.Exit(list_letters(load(settings), choice, as_json=as_json))


@app.command()
def show(
    places: Annotated[
        list[str] | None,
        typer.Argument(
            help="TOPIC[PARTITION]@OFFSET of a letter, or of its source. None: as chosen."
        ),
    ] = None,
    topic: Topic = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Of the letters chosen.")] = 20,
    chars: Annotated[int, typer.Option(min=1, max=1_000_000, help="Of the value, at most.")] = 4000,
    settings: SettingsFile = None,
) -> None:
    """Print letters in full, escaped; exit with 1 where one, or any, is not there."""
    from stream.dead_letters.choice import choice_of
    from stream.dead_letters.command import show_chosen, show_letters

    chosen = {"topic": topic, "reason": reason, "since": since, "until": until}
    if places and any(chosen.values()):
        raise typer.BadParameter("expected places or a choice, got both", param_hint="PLACES")
    if places:
        raise typer.Exit(show_letters(load(settings), places, max_chars=chars))
    choice = choice_of(**chosen, now_ms=_now_ms())
    raise typer.Exit(show_chosen(load(settings), choice, limit=limit, max_chars=chars))


@app.command()
def replay(
    topic: Topic = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    max_replays: Annotated[
        int, typer.Option(min=1, max=99, help="A record sent again that often stays.")
    ] = 3,
    again: Annotated[
        bool, typer.Option("--again", help="Send also what an earlier run has sent.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be sent.")
    ] = False,
    wait: Annotated[
        float, typer.Option(min=0, max=3600, help="Seconds to look whether they come back.")
    ] = 0,
    settings: SettingsFile = None,
) -> None:
    """Send the originals back to their topics; exit with 1 where one could not be, or came back."""
    from stream.dead_letters.choice import choice_of
    from stream.dead_letters.command import replay_letters
    from stream.dead_letters.report import Order

    choice = choice_of(topic=topic, reason=reason, since=since, until=until, now_ms=_now_ms())
    order = Order(max_replays=max_replays, again=again, dry_run=dry_run, wait_s=wait)
    raise typer.Exit(replay_letters(load(settings), choice, order))


def _now_ms() -> int:
    return int(time.time() * 1000)
