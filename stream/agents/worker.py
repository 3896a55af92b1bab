"""The worker's life: open, recover, look after, drain, close."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from faust.types import TP

from stream.agents.garbage import spare_the_collector
from stream.agents.gauges import set_gauges
from stream.agents.listening import listen
from stream.agents.lookout import Lookout
from stream.agents.loop_guard import LoopGuard
from stream.agents.parts import Parts
from stream.agents.readiness import readiness
from stream.agents.recovering import own_nothing, recover_all
from stream.agents.watchdog import (
    Stalled,
    Watchdog,
    behind,
    has_read_all,
    progress_of,
    refusal_of,
)
from stream.errors import PartitionRevoked, SessionExpired, StoreStreamError
from stream.health import HEALTHY, Health
from stream.kafka.consumer import BatchConsumer
from stream.kafka.transport import BatchApp, consumer_of
from stream.topics import EVENTS, ORDERS, STOCK_LEVELS, STOCK_MOVEMENTS

log = structlog.get_logger(__name__)

VISITOR_TOPICS = (EVENTS, ORDERS)
PRODUCT_TOPICS = (STOCK_LEVELS, STOCK_MOVEMENTS)
_GAUGES_S = 1.0
#: What happens to a worker whatever it reads: what was raised on purpose, and what clients raise.
_NO_RECORDS_FAULT = (StoreStreamError, KafkaError, OSError)


class WorkerApp(BatchApp):
    """A Faust app around the parts of a worker. Call ``use`` before it starts."""

    def use(self, parts: Parts) -> None:
        """Take *parts* in and register the agents that feed the pipelines."""
        self.parts = parts
        self.recovered, self._n_revocations = False, 0
        self._watchdog = Watchdog(parts.settings.watchdog_s)
        self._guard = LoopGuard(parts.settings.watchdog_s)
        self._lookout = Lookout(parts)
        self._commits = Watchdog(parts.settings.watchdog_s)
        self._tasks: set[asyncio.Future[None]] = set()
        self._failure: BaseException | None = None
        self.probation, self.transactions = parts.probation, parts.transactions
        # Transactions fence by themselves, and better.
        self.vigil = parts.vigil if parts.transactions is None else None
        recommend, stock = parts.recommend.accept, parts.stock.accept
        listen(self, "recommend", VISITOR_TOPICS, accept=recommend, on_failure=self.fail)
        listen(self, "watch_stock", PRODUCT_TOPICS, accept=stock, on_failure=self.fail)
        self.on_partitions_revoked.connect(self._on_revoked)
        self.on_rebalance_complete.connect(self._on_rebalanced)

    def fail(self, error: BaseException) -> None:
        """End the worker: a bug, or a broker that no longer confirms, must not be passed over."""
        if self._failure is None:
            cause = self._cause(error)
            self.parts.probation.blamed = not isinstance(cause, _NO_RECORDS_FAULT)
            self._remember(cause)
            self._go(self.crash(cause))

    def _crash(self, reason: BaseException) -> None:
        """Hear of what ended a part of Faust's: its consumer for instance, or a commit."""
        if self._failure is None:
            self._remember(self._cause(reason))
        super()._crash(reason)

    def _cause(self, error: BaseException) -> BaseException:
        """Return what lies behind *error*: a write that the vigil refused fails in its own way."""
        try:
            self.parts.vigil.check()
        except SessionExpired as expired:
            return expired
        return error

    def _remember(self, error: BaseException) -> None:
        settings, self._failure = self.parts.settings, error
        log.error("worker_failed", error=repr(error), exc_info=error)
        # The drain and the last delivery have their own bounds; whatever else hangs has this one.
        bounded_s = settings.shutdown_timeout_s + settings.delivery_timeout_s
        self._guard.expect_end(bounded_s + settings.watchdog_s)

    def live(self) -> Health:
        """Whether this process can still do its work; depends on nothing outside it."""
        if self._failure is not None:
            return Health(False, (f"failed: {self._failure!r}",))
        complaint = self._watchdog.complaint(consumer_of(self).tracker.oldest_open_s())
        return HEALTHY if complaint is None else Health(False, (complaint,))

    def ready(self) -> Health:
        """Whether events are answered in full; where not, they are answered degraded, or wait."""
        return readiness(self.parts, recovered=self.recovered)

    @property
    def failure(self) -> BaseException | None:
        """What ended the worker, None while nothing did."""
        return self._failure

    # -- start and stop

    async def on_start(self) -> None:
        """Open every connection, and refuse topics that do not fit together."""
        await super().on_start()
        parts = self.parts
        self._guard.watch("app", asyncio.get_running_loop())
        self._guard.watch("consumer", consumer_of(self)._thread.thread_loop)  # noqa: SLF001
        self._guard.start()
        if parts.health is not None:
            await parts.health.start()
        await parts.producer.start()
        await parts.topics.begin()
        await parts.bulletin.start()
        if parts.models is not None:
            await parts.models.start()
        if parts.serving is not None:
            self._go(parts.serving.follow())
        self._go(self._keep_vigil())
        self._go(self._look_after())
        self._go(self._oversee())
        self._go(self._lookout.keep(consumer_of(self)))
        spare_the_collector()

    async def on_shutdown(self) -> None:
        """Close what was opened; the drain and the last commit are behind us by now."""
        parts = self.parts
        for task in tuple(self._tasks):
            task.cancel()
        for batcher in parts.batchers.values():
            await batcher.stop()
        await parts.settling.stop()
        await parts.bulletin.stop()
        if parts.transactions is not None:
            await parts.transactions.stop()
        await parts.producer.stop()
        if parts.models is not None:
            await parts.models.stop()
        if parts.health is not None:
            await parts.health.stop()
        await super().on_shutdown()

    # -- partitions

    async def _on_revoked(self, app: Any, revoked: set[TP], **_: Any) -> None:
        self.recovered = False
        self._n_revocations += 1
        for batcher in self.parts.batchers.values():
            batcher.forget()
        own_nothing(self.parts)

    async def _on_rebalanced(self, app: Any, **_: Any) -> None:
        """Rebuild the state of what is assigned, before its first event."""
        begun = self.consumer_generation_id, self._n_revocations
        self.parts.probation.forget()
        for rounds in self.parts.rounds:
            rounds.restart()
        assigned = consumer_of(self).assignment()
        try:
            # One deadline for all of it: the group waits for the next fetch no longer.
            async with asyncio.timeout(self.parts.settings.recovery_timeout_s):
                # A rebalance is how the group hears of new partitions; they have no changelog.
                await self._lookout.look(consumer_of(self))
                await recover_all(
                    self.parts,
                    assigned,
                    overtaken=lambda: begun != (self.consumer_generation_id, self._n_revocations),
                )
        except PartitionRevoked as error:
            log.info("recovery_overtaken", reason=str(error))
        except Exception as error:  # noqa: BLE001 - Faust would start the flow all the same
            own_nothing(self.parts)
            self.fail(error)
        else:
            self.recovered = bool(assigned)

    # -- while it runs

    async def _keep_vigil(self) -> None:
        try:
            await self.parts.vigil.keep()
        except SessionExpired:
            self.parts.producer.abort()
            if self.parts.transactions is not None:
                self.parts.transactions.disown()
            raise

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(self.parts.settings.stock_tick_s)
            if self.recovered:
                for rounds in self.parts.rounds:
                    rounds.tick()

    async def _oversee(self) -> None:
        while True:
            await asyncio.sleep(_GAUGES_S)
            set_gauges(self.parts, consumer_of(self))
            await self.inspect()

    async def inspect(self) -> None:
        """End the worker where a part of it died, or stands still, without a word."""
        if (error := self.parts.bulletin.failure) is not None:
            self.fail(error)
        consumer, watchdog = consumer_of(self), self._watchdog
        if (refusal := refusal_of(consumer)) is not None:
            self.fail(refusal)
        self._inspect_commits(consumer)
        in_flight = consumer.tracker.in_flight > 0
        busy = in_flight or (self.recovered and bool(behind(consumer, self._lookout.ends)))
        watchdog.look(progress_of(consumer), busy=busy)
        complaint = watchdog.complaint(consumer.tracker.oldest_open_s())
        if complaint is None:
            return
        if in_flight or not await has_read_all(consumer, self._lookout.ends):
            self.fail(Stalled(complaint))
        else:
            watchdog.rest()

    def _inspect_commits(self, consumer: BatchConsumer) -> None:
        """End the worker where the broker takes no commit: all it does would be done again."""
        committed = frozenset(consumer.committed_offsets().items())
        self._commits.look(committed, busy=bool(consumer.tracker.committable()))
        if (complaint := self._commits.complaint(oldest_open_s=0)) is not None:
            self.fail(Stalled(f"the broker takes no commit: {complaint}"))

    def _go(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Future[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)
