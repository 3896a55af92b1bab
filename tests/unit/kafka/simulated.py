"""A worker at chance's mercy: its rebalances, its clock and its deaths are drawn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from faust.types import TP

from stream.errors import PartitionRevoked
from stream.kafka.notes import FORM, Note, SetAside, dump, set_aside_key
from stream.kafka.probation import Probation
from stream.kafka.records import InRecord, OutRecord, RecordBatch
from stream.kafka.store import Form, StateStore
from stream.kafka.transactions import Transactions
from stream.kafka.transport import BatchApp, Batching, consumer_of
from tests.unit.kafka.fakes import Record
from tests.unit.kafka.simulated_broker import SimulatedBroker, SimulatedProducer

TPS = (TP("events", 0), TP("orders", 0), TP("events", 1))
N_RECORDS = 40
NUMBERS: Form[int] = Form(lambda value: b"%d" % value, int)


class SimulatedWorker:
    """A worker's consumer, agents and state, from its start to its end."""

    def __init__(self, broker: SimulatedBroker, folder: Path) -> None:
        self.broker, self.chance = broker, broker.chance
        self.failures: list[BaseException] = []
        self.queue: deque[RecordBatch] = deque()
        self.positions: dict[TP, int] = {}
        self.store: StateStore[int] = StateStore("changelog", None, NUMBERS)
        self.notes: StateStore[Note] = StateStore("attempts", broker, FORM)
        app = BatchApp(
            "app",
            broker="storestream://127.0.0.1:1",
            datadir=folder,
            loop=asyncio.get_running_loop(),
            batching=Batching(drain_timeout_s=0.02),
        )
        app.transactions = self.transactions = Transactions(
            {"events": self.store, "orders": self.store},
            lambda unit: SimulatedProducer(broker, unit),  # type: ignore[arg-type, return-value]
            on_failure=self.failures.append,
        )
        app.probation = self.probation = Probation(
            self.notes, quarantine_after=3, max_in_flight=64, dispose=self._dispose
        )
        consumer: Any = consumer_of(app)
        self.consumer, self.app = consumer, app
        consumer._thread.getmany = self._fetch
        consumer._thread.getsome = self._fetch
        consumer.seek_to_committed = self._seek
        consumer._thread.seek_to_beginning = self._rewind
        consumer.position = self._position
        consumer.assignment = lambda: set(TPS)
        consumer.highwater = lambda _: N_RECORDS
        consumer._set_active_tps(set(TPS))
        self.tasks: set[asyncio.Task[Any]] = set()

    # -- aiokafka

    async def _fetch(
        self,
        tps: set[TP],
        patience_s: float,
        max_records: int = 8,
    ) -> Mapping[TP, list[Record]]:
        await self.broker.pause()
        fetched = {}
        for tp in sorted(tps):
            first = self.positions[tp]
            self.positions[tp] = last = min(first + self.chance.randint(1, max_records), N_RECORDS)
            if last > first:
                fetched[tp] = [Record(offset) for offset in range(first, last)]
        await self.broker.pause()
        return fetched

    async def _seek(self) -> Mapping[TP, int | None]:
        committed = {tp: self.broker.offsets.get(tp) for tp in TPS}
        await self.broker.pause()
        self.positions = {tp: at or 0 for tp, at in committed.items()}
        return committed

    async def _rewind(self, *tps: TP) -> None:
        self.positions |= dict.fromkeys(tps, 0)

    async def _position(self, tp: TP) -> int:
        return self.positions[tp]

    # -- the group

    async def assign(self) -> None:
        await self.transactions.own(TPS)
        for number in (0, 1):
            states, notes = self.store.open(number), self.notes.open(number)
            for (partition, key), value in self.broker.changelog.items():
                if partition == number:
                    states.restore(key, value)
            for (partition, key), value in self.broker.notes.items():
                if partition == number:
                    notes.restore(key, value)
        await self.consumer.perform_seek()
        self.consumer.resume_flow()

    async def revoke(self) -> None:
        self.consumer.stop_flow()
        self.queue.clear()
        await self.consumer.wait_empty()
        await self.broker.pause(40)
        self.transactions.disown()
        self.probation.forget()
        for number in (0, 1):
            self.store.drop(number)
            self.notes.drop(number)
        self.consumer.tracker.revoke(TPS)
        for task in self.consumer._commits:
            task.cancel()
        await self.broker.pause()

    async def end(self) -> None:
        """Stop, in order; killed it is cancelled only."""
        self.consumer.stop_flow()
        self.queue.clear()
        await self.consumer.wait_empty()

    async def die(self) -> None:
        tasks = [*self.tasks, *self.consumer._commits]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.transactions.stop()
        self.consumer._thread.thread_loop.close()

    # -- agents

    def begin(self) -> None:
        for work in (self._read(), self._listen(), self._commit_now_and_then()):
            self._go(work)

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures.append(error)

    async def _read(self) -> None:
        while True:
            async for _, message in self.consumer.getmany(timeout=0.001):
                await self.broker.pause()
                if self.consumer.flow_active:
                    self.queue.append(message.value)
            await asyncio.sleep(0)

    async def _listen(self) -> None:
        while True:
            await self.broker.pause()
            await asyncio.sleep(0)
            if self.queue and self.consumer.flow_active:
                self._accept(self.queue.popleft())

    def _accept(self, batch: RecordBatch) -> None:
        key = batch.topic.encode()
        if not self.consumer.tracker.begin(batch):
            return
        states = self.store[batch.partition]
        for record in batch.records:
            states.put(key, _folded(states.get(key) or 0, record.offset))
        self._go(self._answer(batch, states))

    async def _answer(self, batch: RecordBatch, states: Any) -> None:
        await self.broker.pause(30)
        with suppress(PartitionRevoked):
            states.collect([_output(batch, record) for record in batch.records])
            await self.broker.pause()
            batch.complete()

    async def _commit_now_and_then(self) -> None:
        while True:
            await self.broker.pause(60)
            await self.consumer.commit()

    async def _dispose(
        self, topic: str, partition: int, record: InRecord, *, verdict: SetAside
    ) -> None:
        letter = b"letter %s %d %d" % (topic.encode(), partition, record.offset)
        self.store[partition].collect([OutRecord("letters", partition, b"", letter)])


def condemn(broker: SimulatedBroker, tp: TP, offset: int) -> None:
    verdict = SetAside(offset, "Skipped")
    broker.notes[tp.partition, set_aside_key(tp.topic, offset)] = dump(verdict)


def _folded(state: int, offset: int) -> int:
    """Count *offset* once: how many were folded, and behind the last of them, in one number."""
    n_folded, behind = divmod(state, 1000)
    return state if offset < behind else (n_folded + 1) * 1000 + offset + 1


def _output(batch: RecordBatch, record: InRecord) -> OutRecord:
    value = b"answer %s %d %d" % (batch.topic.encode(), batch.partition, record.offset)
    return OutRecord("answers", batch.partition, b"", value)
