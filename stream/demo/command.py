"""``storestream demo``: the whole system on one machine, on real orders, until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console

from stream.demo.live import ORIGINS
from stream.demo.narration import Narrator
from stream.demo.pacing import parse_pace
from stream.demo.parts import Parts
from stream.demo.report import Story, report_of, write_report
from stream.demo.story import SEED, Run
from stream.demo.summary import summary
from stream.demo.training import FOLDER, models_in, read_data
from stream.kafka import administration
from stream.local.broker import FETCH_WAIT_MS
from stream.model_specs import MODELS
from stream.settings import Settings
from stream.wanted_topics import wanted_topics

PARTITIONS = 4
_INTERRUPTED = 130
_LINE_WIDTH = 160


def run_demo(
    *, speed: str, headless: bool, seconds: float | None, report: Path | None, folder: Path | None
) -> int:
    """Run the demo; 0 when no event was lost and nothing is left behind.

    Args:
        folder: Keeps the models for later runs, and the logs of a run that failed.

    Raises:
        LocalPartMissing: An embedded part cannot run here; the message says what to do.
        PartDied: A child process ended; the message names it and its log.
    """
    pace = parse_pace(speed)
    narrator = Narrator(_console(), headless=headless)
    narrator.say(ORIGINS)
    story: Story | None = None
    left_behind: list[str] = []
    with _terminated_like_interrupted(), suppress(KeyboardInterrupt):
        data = read_data(narrator)
        repository = models_in(folder or FOLDER, narrator, lambda: data)
        with Parts(repository=repository, kept_logs=(folder or FOLDER) / "logs") as parts:
            run = Run(parts, _start(parts, narrator), pace, seconds, headless, narrator)
            story = asyncio.run(run.tell(data))
        left_behind = parts.left_behind()
    if story is None:
        narrator.say("Stopped before the replay was over; everything is gone again.")
        return _INTERRUPTED
    narrator.console.print(summary(story, left_behind))
    if report is not None:
        told = {"speed": speed, "seconds": seconds, "partitions": PARTITIONS, "seed": SEED}
        found = report_of(story, left_behind=left_behind, settings=told, seconds=narrator.seconds)
        write_report(found, report)
        narrator.say(f"Report: {report}")
    return 0 if story.lost.total == 0 and not left_behind else 1


def _console() -> Console:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _LINE_WIDTH
    return console


def _start(parts: Parts, narrator: Narrator) -> Settings:
    with narrator.step("broker", "Starting the broker (Tansu)"):
        parts.start_broker()
        settings = Settings(bootstrap_servers=parts.bootstrap, partitions=PARTITIONS)
        administration.create_topics([parts.bootstrap], wanted_topics(settings))
    with narrator.step("triton", "Starting Triton with both models"):
        parts.start_triton(tuple(spec.name for spec in MODELS))
    with narrator.step("worker", "Starting the Faust worker"):
        parts.start_worker(
            {
                "STORESTREAM_PARTITIONS": str(settings.partitions),
                "STORESTREAM_FETCH_WAIT_MS": str(FETCH_WAIT_MS),
            }
        )
    return settings


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does, so that it clears up behind itself."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
