"""Topics of a broker as a command reads them: to their end as of the start, with progress shown."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Iterable, Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from stream.adapters.security import client_options
from stream.errors import TopicMismatch
from stream.kafka.administration import list_topics
from stream.kafka.topic_scan import Span, TopicScan
from stream.settings import Settings


class BrokerTopics:
    """Those of the topics asked for that are on the broker.

    Attributes:
        partitions: Of each of them.
    """

    def __init__(self, settings: Settings, names: Iterable[str], *, purpose: str) -> None:
        """Ask the broker for its topics.

        Args:
            purpose: Stands behind our name in the broker's logs.

        Raises:
            Misconfigured: No broker answers.
        """
        self._settings = settings
        self._purpose = purpose
        self._security = client_options(settings)
        found = list_topics(settings.bootstrap, names, security=self._security)
        self.partitions = {topic.name: topic.partitions for topic in found}

    def scan(
        self,
        *topics: str,
        begin: Mapping[tuple[str, int], int] | None = None,
        since_ms: int | None = None,
    ) -> TopicScan:
        """Return a scan of *topics*, of the partitions in *begin* only where it is told.

        Args:
            since_ms: Leave out what was appended before; None takes all.

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
            since_ms=since_ms,
            client_id=f"{self._settings.client_id}-{self._purpose}",
            security=self._security,
        )


async def shown(scan: TopicScan, doing: str) -> AsyncGenerator[Span, None]:
    """Yield what there was of *scan* at the start, and show how far it is."""
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
