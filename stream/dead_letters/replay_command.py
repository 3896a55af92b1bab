"""A replay from beginning to end: read, send, remember, look whether it came back, report."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from rich.console import Console
from rich.text import Text

from stream.adapters.security import client_options
from stream.broker_topics import progress_bar
from stream.dead_letters.box import LetterBox
from stream.dead_letters.choice import Choice
from stream.dead_letters.replaying import Comeback, Limits, Replayer
from stream.dead_letters.report import Order, report
from stream.errors import PublishFailed, ReadFailed
from stream.kafka.producer import BulkProducer
from stream.letters import letter_of
from stream.settings import Settings

Ends = dict[tuple[str, int], int]


class Replaying:
    """One run. It takes the letters that were there at its start, so it comes to an end."""

    def __init__(self, settings: Settings, box: LetterBox, order: Order, console: Console) -> None:
        self._settings = settings
        self._box = box
        self._order = order
        self._console = console
        self._comeback = Comeback()

    async def run(self, choice: Choice) -> int:
        """Send what *choice* takes, report, and return the exit code."""
        replays = await self._box.replays()
        limits = Limits(
            max_replays=self._order.max_replays,
            again=self._order.again,
            partitions=self._box.partitions,
            max_bytes=self._settings.producer_batch_bytes,
        )
        async with self._publisher() as publisher:
            replayer = Replayer(publisher, replays, limits)
            try:
                ends = await self._send(replayer, choice)
                if self._order.looks_back:
                    await self._watch(choice, ends)
            except (PublishFailed, ReadFailed) as error:
                replayer.outcome.failure = str(error)
        outcome = replayer.outcome
        for line in report(outcome, self._comeback, self._order):
            self._console.print(Text(line))
        return 1 if outcome.refused or outcome.failure or self._comeback.reasons else 0

    async def _send(self, replayer: Replayer, choice: Choice) -> Ends:
        """Return where the dead-letter topics ended before anything was sent."""
        async with (
            self._box.scan(*choice.topics) as scan,
            aclosing(self._box.letters(scan, "Replaying dead letters")) as spans,
        ):
            async for letters in spans:
                planned = await replayer.take(filter(choice.takes, letters))
                if self._order.looks_back:
                    self._comeback.expect(planned)
        return scan.ends

    async def _watch(self, choice: Choice, ends: Ends) -> None:
        """Look at the letters from *ends* on, until all came back or the time is over."""
        with progress_bar() as bar:
            bar.add_task("Looking whether they come back", total=None)
            async with (
                self._box.scan(*choice.topics, begin=ends) as scan,
                aclosing(scan.for_seconds(self._order.wait_s)) as fetches,
            ):
                async for spans in fetches:
                    for topic, partition, records in spans:
                        for record in records:
                            self._comeback.take(letter_of(record, topic, partition))
                    if self._comeback.is_complete:
                        return

    @asynccontextmanager
    async def _publisher(self) -> AsyncIterator[BulkProducer | None]:
        """Give who sends and confirms; nobody does in a dry run."""
        if self._order.dry_run:
            yield None
            return
        settings = self._settings
        producer = BulkProducer(
            settings.bootstrap,
            client_id=f"{settings.client_id}-replay",
            idempotent=settings.idempotent,
            max_batch_bytes=settings.producer_batch_bytes,
            request_timeout_s=settings.broker_request_timeout_s,
            delivery_timeout_s=settings.delivery_timeout_s,
            security=client_options(settings),
        )
        await producer.start()
        try:
            yield producer
        finally:
            await producer.stop()
