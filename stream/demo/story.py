"""The run itself, in order: publish the past, wait until it is folded, replay, audit."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial

from rich.live import Live

from stream.demo.audit import Audit
from stream.demo.catalogue import Catalogue
from stream.demo.household_orders import Purchases
from stream.demo.live import Following, Screen
from stream.demo.narration import Narrator
from stream.demo.pacing import Pace
from stream.demo.parts import Parts
from stream.demo.reading import Progress
from stream.demo.replay import Replay
from stream.demo.report import Requests, Story, requests_so_far
from stream.demo.sending import Replayed, Sender, replay
from stream.demo.verify import verify
from stream.demo.watching import LOOK_S, Watch
from stream.kafka.producer import BulkProducer
from stream.kafka.reader import TopicReader
from stream.model_specs import RECOMMENDER
from stream.settings import Settings
from stream.topics import RECOMMENDATIONS, STOCK_ALERTS

#: Of all that is simulated.
SEED = 1

_SAY_S = 10.0
_AUDIT_TIMEOUT_S = 60.0


@dataclass(slots=True)
class _Stop:
    """How far an interruption has gone.

    Attributes:
        event: Ends the replay; the audit still follows.
        may_wait: Whether there is a replay to end; before it, an interruption is final.
    """

    event: asyncio.Event = field(default_factory=asyncio.Event)
    may_wait: bool = False
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    """What the store sold, and the part of it that is on the shelves."""

    purchases: Purchases
    catalogue: Catalogue


@dataclass(slots=True)
class Run:
    """One run of the demo against parts that are up.

    Attributes:
        settings: The worker's: partitions and consumer group.
        seconds: Length of the replay; None until Ctrl-C.
    """

    parts: Parts
    settings: Settings
    pace: Pace
    seconds: float | None
    headless: bool
    narrator: Narrator
    _stop: _Stop = field(default_factory=_Stop)

    async def tell(self, data: Data) -> Story | None:
        """Run it all on *data*; None when interrupted before the replay, or twice.

        Raises:
            PartDied: A child process ended.
        """
        told = asyncio.create_task(self._tell(data))
        with _interrupts(self._stop, told.cancel):
            try:
                while not told.done():
                    self.parts.check()
                    await asyncio.wait([told], timeout=LOOK_S)
                return None if told.cancelled() else told.result()
            finally:
                told.cancel()
                await asyncio.wait([told])

    async def _tell(self, data: Data) -> Story:
        partitions = self.settings.partitions
        store = Replay(data.purchases, data.catalogue, n_partitions=partitions, seed=SEED)
        progress = Progress(self.parts.bootstrap, self.settings.group_id)
        try:
            async with self._sender() as sender:
                watch = Watch(sender, progress)
                n_past = await self._fold_past(store, sender, watch)
                before = await asyncio.to_thread(requests_so_far, self.parts.triton_grpc)
                show = self._lines if self.headless else partial(self._screen, data.catalogue)
                replayed = Replayed()
                async with _beside(watch.look(), show(sender, watch, replayed)):
                    await self._replay(store, sender, watch, replayed)
                return await self._audited(sender, replayed, before, n_past)
        finally:
            progress.close()

    async def _fold_past(self, store: Replay, sender: Sender, watch: Watch) -> int:
        with self.narrator.step("past", "Folding the past, 12 weeks of orders") as update:
            await sender.send_all(store.past())
            await watch.until_folded(update)
            await sender.send_all([store.opening()])
            await watch.until_folded(update)
        return sum(sender.sent.values())

    async def _replay(
        self, store: Replay, sender: Sender, watch: Watch, replayed: Replayed
    ) -> None:
        self._stop.may_wait = True
        await replay(
            store.days(),
            sender,
            self.pace,
            seconds=self.seconds,
            lag=lambda: watch.lag,
            stop=self._stop.event,
            replayed=replayed,
        )

    @asynccontextmanager
    async def _sender(self) -> AsyncIterator[Sender]:
        producer = BulkProducer([self.parts.bootstrap], client_id="storestream-demo")
        await producer.start()
        try:
            yield Sender(producer)
        finally:
            await producer.stop()

    async def _audited(
        self, sender: Sender, replayed: Replayed, before: dict[str, Requests], n_past: int
    ) -> Story:
        audit = Audit(n_partitions=self.settings.partitions, sent=sender.sent)
        with self.narrator.step("audit", "Reading the topics to their end"):
            lost = await asyncio.to_thread(
                verify,
                audit,
                self.parts.bootstrap,
                timeout_s=_AUDIT_TIMEOUT_S,
                check=self._check,
            )
        now = await asyncio.to_thread(requests_so_far, self.parts.triton_grpc)
        return Story(
            n_past=n_past,
            replayed=replayed,
            audit=audit,
            lost=lost,
            requests={name: now[name].since(before[name]) for name in now},
            triton_version=self.parts.triton_version,
        )

    def _check(self) -> None:
        self.parts.check()
        if self._stop.is_final:
            raise asyncio.CancelledError

    async def _lines(self, sender: Sender, watch: Watch, replayed: Replayed) -> None:
        while True:
            await asyncio.sleep(_SAY_S)
            self.narrator.say(
                f"  {replayed.seconds:4.0f} s: {replayed.n_events:,} events sent, "
                f"{watch.lag_of(sender):,} not yet committed"
            )

    async def _screen(
        self, catalogue: Catalogue, sender: Sender, _: Watch, replayed: Replayed
    ) -> None:
        following = Following(sender)
        screen = Screen(following, sender, replayed, catalogue)
        bootstrap = [self.parts.bootstrap]
        reader = TopicReader(
            bootstrap,
            {
                RECOMMENDATIONS.name: following.recommended,
                STOCK_ALERTS.name: following.alerted,
            },
        )
        try:
            await reader.start()
            with Live(screen, console=self.narrator.console, auto_refresh=False) as live:
                while True:
                    now = await asyncio.to_thread(requests_so_far, self.parts.triton_grpc)
                    screen.rows_per_request = now[RECOMMENDER.name].rows_per_request
                    live.refresh()
                    await asyncio.sleep(LOOK_S)
        finally:
            await reader.stop()


@asynccontextmanager
async def _beside(*work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Run *work* as long as the block lasts; its failure fails the block, at the end."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error


@contextmanager
def _interrupts(stop: _Stop, cancel: Callable[[], object]) -> Iterator[None]:
    """Ctrl-C and SIGTERM: the first ends the replay in order, the second everything at once."""

    def interrupted() -> None:
        if stop.event.is_set() or not stop.may_wait:
            stop.is_final = True
            cancel()
        stop.event.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
