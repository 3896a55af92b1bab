"""``storestream dead-letters``: list, show and replay. Each returns an exit code."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import aclosing

from rich.console import Console

from stream.dead_letters.box import LetterBox
from stream.dead_letters.choice import Choice
from stream.dead_letters.replay_command import Replaying
from stream.dead_letters.report import Order
from stream.dead_letters.showing import described
from stream.dead_letters.summary import Summary
from stream.errors import Misconfigured
from stream.kafka.records import Place
from stream.letters import Letter, place_of
from stream.settings import Settings
from stream.telemetry import configure_logging
from stream.topics import READ, dead_letter_name

#: Of output that goes to no terminal: rows stay whole.
_WIDTH_OF_FILES = 200


def list_letters(settings: Settings, choice: Choice, *, as_json: bool) -> int:
    """Print how many letters of *choice* there are, by topic and reason."""
    _log_as(settings)
    summary = asyncio.run(_summary(LetterBox(settings), choice))
    console = _console()
    if as_json:
        sys.stdout.write(f"{summary.as_json()}\n")
    else:
        console.print(summary.table(settings.bootstrap_servers))
    return 0


def show_letters(settings: Settings, places: Sequence[str], *, max_chars: int) -> int:
    """Print the letters at *places*, their own or their sources'; 1 where one is not there.

    Raises:
        Misconfigured: A place is none, or of a topic without dead letters.
    """
    _log_as(settings)
    wanted = [_wanted(place) for place in places]
    return asyncio.run(_show(LetterBox(settings), wanted, max_chars))


def show_chosen(settings: Settings, choice: Choice, *, limit: int, max_chars: int) -> int:
    """Print the first *limit* letters of *choice*; 1 where there is none."""
    _log_as(settings)
    return asyncio.run(_show_chosen(LetterBox(settings), choice, limit, max_chars))


def replay_letters(settings: Settings, choice: Choice, order: Order) -> int:
    """Send the originals of *choice* back; 1 where something could not be sent or came back."""
    _log_as(settings)
    return asyncio.run(Replaying(settings, LetterBox(settings), order, _console()).run(choice))


async def _summary(box: LetterBox, choice: Choice) -> Summary:
    replays = await box.replays()
    summary = Summary()
    async with (
        box.scan(*choice.topics) as scan,
        aclosing(box.letters(scan, "Counting dead letters")) as spans,
    ):
        async for letters in spans:
            for letter in filter(choice.takes, letters):
                summary.add(letter, is_replayed=replays.of(letter.source) is not None)
    return summary


async def _show(box: LetterBox, wanted: Sequence[Place], max_chars: int) -> int:
    replays = await box.replays()
    n_missing = 0
    for place in wanted:
        found = await _found(box, place)
        if not found:
            n_missing += 1
            sys.stderr.write(f"storestream: {place}: no dead letter of it is kept\n")
        for letter in found:
            _print(letter, replays.of(letter.source), max_chars)
    return 1 if n_missing else 0


async def _show_chosen(box: LetterBox, choice: Choice, limit: int, max_chars: int) -> int:
    replays = await box.replays()
    n_shown = 0
    async with (
        box.scan(*choice.topics) as scan,
        aclosing(box.letters(scan, "Looking for dead letters")) as spans,
    ):
        async for letters in spans:
            for letter in filter(choice.takes, letters):
                if n_shown == limit:
                    sys.stderr.write(f"storestream: there are more than {limit}: see --limit\n")
                    return 0
                _print(letter, replays.of(letter.source), max_chars)
                n_shown += 1
    if not n_shown:
        sys.stderr.write("storestream: no dead letter of this choice is kept\n")
    return 0 if n_shown else 1


def _print(letter: Letter, n_replayed: int | None, max_chars: int) -> None:
    for line in described(letter, n_replayed=n_replayed, max_chars=max_chars):
        sys.stdout.write(f"{line}\n")


async def _found(box: LetterBox, place: Place) -> list[Letter]:
    """Return the letter at *place*, or those of the record at *place*.

    A letter lies in the partition of its source; a worker that was killed may have written two.
    """
    of_source = place.topic in {spec.name for spec in READ}
    topic = dead_letter_name(place.topic) if of_source else place.topic
    begin = {(topic, place.partition): 0 if of_source else place.offset}
    found: list[Letter] = []
    async with (
        box.scan(topic, begin=begin) as scan,
        aclosing(box.letters(scan, f"Looking for {place}")) as spans,
    ):
        async for letters in spans:
            for letter in letters:
                source = letter.source.place if letter.source else None
                if place == (source if of_source else letter.at):
                    found.append(letter)
            if not of_source:
                break
    return found


def _wanted(text: str) -> Place:
    try:
        place = place_of(text)
    except ValueError as error:
        raise Misconfigured(str(error)) from error
    names = [name for spec in READ for name in (spec.name, dead_letter_name(spec.name))]
    if place.topic not in names:
        raise Misconfigured(f"{place}: Expected one of {', '.join(names)}, got {place.topic!r}")
    return place


def _console() -> Console:
    return Console() if sys.stdout.isatty() else Console(width=_WIDTH_OF_FILES)


def _log_as(settings: Settings) -> None:
    configure_logging(settings.log_level, settings.log_format)
