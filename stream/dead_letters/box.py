"""The dead-letter topics of a broker, as the commands read them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from stream.broker_topics import BrokerTopics, shown
from stream.dead_letters.replaying import Replays
from stream.kafka.topic_scan import TopicScan
from stream.letters import Letter, letter_of, replay_of
from stream.settings import Settings
from stream.topics import DEAD_LETTERS, READ, REPLAYS


class LetterBox(BrokerTopics):
    """Reads letters and what was sent again of them, each up to where it ended at the start."""

    def __init__(self, settings: Settings) -> None:
        """Ask the broker for its topics.

        Raises:
            Misconfigured: No broker answers.
        """
        names = [spec.name for spec in (*READ, *DEAD_LETTERS, REPLAYS)]
        super().__init__(settings, names, purpose="dead-letters")

    async def replays(self) -> Replays:
        """Return what was sent again, as far as it is kept."""
        replays = Replays()
        async with self.scan(REPLAYS.name) as scan:
            async for span in shown(scan, "Reading what was sent again"):
                for record in span.records:
                    replay = replay_of(record)
                    if replay is not None:
                        replays.remember(replay.source, replay.n_replays)
        return replays

    @staticmethod
    async def letters(scan: TopicScan, doing: str) -> AsyncGenerator[list[Letter], None]:
        """Yield the letters of *scan* up to its ends, a span at a time, and show how far it is."""
        async with aclosing(shown(scan, doing)) as spans:
            async for topic, partition, records in spans:
                yield [letter_of(record, topic, partition) for record in records]
