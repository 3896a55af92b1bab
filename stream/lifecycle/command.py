"""``storestream models``: list, promote, rollback and compare. Each returns an exit code."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from rich.console import Console

from stream.errors import InferenceError
from stream.lifecycle.changing import Change, Wish
from stream.lifecycle.comparing import compared
from stream.lifecycle.decisions import Decisions
from stream.lifecycle.histories import histories_in, histories_of
from stream.lifecycle.listing import table_of
from stream.lifecycle.server import ModelServing, spec_of
from stream.model_specs import RECOMMENDER, SERVED_WITH
from stream.repository import ModelRepository
from stream.settings import Settings
from stream.telemetry import configure_logging

#: Of output that goes to no terminal: rows stay whole.
_WIDTH_OF_FILES = 200
#: As a shell has it for a process that SIGTERM ended.
_TERMINATED = 143


def list_versions(settings: Settings, folder: Path) -> int:
    """Print a table of all versions on disk."""
    _log_as(settings)
    repository, decisions = ModelRepository(folder), Decisions(settings)
    return asyncio.run(_list(settings, repository, decisions))


def change(settings: Settings, folder: Path, model: str, *, wish: Wish, wait_s: float) -> int:
    """Change the versions of *model*, and print each step."""
    _log_as(settings)
    repository, decisions = ModelRepository(folder), Decisions(settings)
    changing = _change(ModelServing(settings, repository), decisions, model, wish, wait_s)
    try:
        return asyncio.run(changing)
    except asyncio.CancelledError:
        return _TERMINATED


def compare_versions(
    settings: Settings,
    folder: Path,
    model: str,
    *,
    versions: tuple[str, str],
    histories: Path | None,
    n_sample: int,
) -> int:
    """Print two versions side by side."""
    _log_as(settings)
    spec_of(model)
    repository, sample = ModelRepository(folder), []
    if model == RECOMMENDER.name and histories is not None:
        sample = histories_in(histories, n_sample)
    elif model == RECOMMENDER.name:
        sample = asyncio.run(histories_of(settings, n_sample))
    serving = ModelServing(settings, repository)
    _console().print(asyncio.run(compared(serving, model, versions, histories=sample)))
    return 0


async def _list(settings: Settings, repository: ModelRepository, decisions: Decisions) -> int:
    ready: dict[str, tuple[str, ...] | None] = {}
    async with ModelServing(settings, repository) as serving:
        for model in SERVED_WITH:
            try:
                ready[model] = await serving.ready(model)
            except InferenceError:
                ready[model] = None
    _console().print(table_of(repository, await decisions.all(), ready))
    return 0


async def _change(  # noqa: PLR0917
    serving: ModelServing, decisions: Decisions, model: str, wish: Wish, wait_s: float
) -> int:
    _cancel_on_signals()
    async with serving:
        await Change(model, serving, decisions, say=_say, wait_s=wait_s).make(wish)
    return 0


def _cancel_on_signals() -> None:
    """Put back what was changed also where a terminal is closed, or the machine goes down."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None  # noqa: S101 - what asyncio runs is a task
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _console() -> Console:
    return Console() if sys.stdout.isatty() else Console(width=_WIDTH_OF_FILES)


def _log_as(settings: Settings) -> None:
    configure_logging(settings.log_level, settings.log_format)
