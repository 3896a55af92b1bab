"""The dead-letter topics of a broker, as the commands read them."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from stream.adapters.security import client_options
from stream.dead_letters.replaying import Replays
from stream.errors import TopicMismatch
from stream.kafka.administration import list_topics
from stream.kafka.topic_scan import Span, TopicScan
from stream.letters import Letter, letter_of, replay_of
from stream.settings import Settings
from stream.topics import DEAD_LETTERS, READ, REPLAYS


class LetterBox:
    """Reads letters and what was sent again of them, each up to where it ended at the start.

    Attributes:
        partitions: Of each topic that is on the broker.
    """

    def __init__(self, settings: Settings) -> None:
        """Ask the broker for its topics.

        Raises:
            Misconfigured: No broker answers.
        """
        self._settings = settings
        self._security = client_options(settings)
        names = [spec.name for spec in (*READ, *DEAD_LETTERS, REPLAYS)]
        found = list_topics(settings.bootstrap, names, security=self._security)
        self.partitions = {topic.name: topic.partitions for topic in found}

    def scan(self, *topics: str, begin: Mapping[tuple[str, int], int] | None = None) -> TopicScan:
        """Return a scan of *topics*, of the partitions in *begin* only where it is told.

        Raises:
            TopicMismatch: One of them is not on the broker.
        """
        missing = [topic for topic in topics if topic not in self.partitions]
        if missing:
            raise TopicMismatch(
                f"Expected {', '.join(missing)} on {self._settings.bootstrap_servers}, got no such "
                "topic: `storestream topics create`"
            )
        return TopicScan(
            self._settings.bootstrap,
            {topic: self.partitions[topic] for topic in topics},
            begin=begin,
            client_id=f"{self._settings.client_id}-dead-letters",
            security=self._security,
        )

    async def replays(self) -> Replays:
        """Return what was sent again, as far as it is kept."""
        replays = Replays()
        async with self.scan(REPLAYS.name) as scan:
            async for span in _shown(scan, "Reading what was sent again"):
                for record in span.records:
                    replay = replay_of(record)
                    if replay is not None:
                        replays.remember(replay.source, replay.n_replays)
        return replays

    @staticmethod
    async def letters(scan: TopicScan, doing: str) -> AsyncGenerator[list[Letter], None]:
        """Yield the letters of *scan* up to its ends, a span at a time, and show how far it is."""
        async with aclosing(_shown(scan, doing)) as spans:
            async for topic, partition, records in spans:
                yield [letter_of(record, topic, partition) for record in records]


async def _shown(scan: TopicScan, doing: str) -> AsyncGenerator[Span, None]:
    with progress_bar() as bar:
        task = bar.add_task(doing, total=1.0)
        async for span in scan.to_ends():
            yield span
            bar.update(task, completed=scan.share)


def progress_bar() -> Progress:
    """Return a bar on stderr that goes when it is done; none where nobody looks."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not sys.stderr.isatty(),
    )
