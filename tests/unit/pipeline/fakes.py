"""Fakes of the ports: a log in memory, state whose flush can be held back, a scripted model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from stream.errors import PartitionRevoked
from stream.kafka.records import OutRecord, RecordBatch
from stream.model_specs import (
    FORECASTER,
    HORIZON_DAYS,
    N_CANDIDATES,
    QUANTILES,
    RECOMMENDER,
    ModelSpec,
)
from stream.ports import Effects, Tensors
from tests.unit.builders import Record


class Log:
    """A publisher that keeps what it confirms; ``hold`` keeps it from confirming."""

    def __init__(self) -> None:
        self.records: list[OutRecord] = []
        self.may_confirm = asyncio.Event()
        self.may_confirm.set()
        self.failure: Exception | None = None

    async def publish(self, effects: Effects) -> None:
        self.records.extend(chain.from_iterable(effects.values()))
        await self.may_confirm.wait()
        if self.failure is not None:
            raise self.failure

    def of(self, topic: str) -> list[OutRecord]:
        return [record for record in self.records if record.topic == topic]


class KeptStates:
    """The state of one partition; durable is what was flushed."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.values: dict[bytes, Any] = {}
        self.durable: dict[bytes, Any] = {}
        self.collected: list[OutRecord] = []
        self.may_flush = asyncio.Event()
        self.may_flush.set()

    def get(self, key: bytes) -> Any | None:
        return self.values.get(key)

    def put(self, key: bytes, value: Any | None) -> None:
        if value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = value

    def __iter__(self) -> Iterator[bytes]:
        return iter(list(self.values))

    def collect(self, records: Sequence[OutRecord]) -> None:
        self.collected += records

    async def flush(self) -> None:
        at_call = dict(self.values)
        await self.may_flush.wait()
        self.durable = at_call


class Owned:
    """A store that owns the partitions it was given."""

    def __init__(self, *partitions: int) -> None:
        self.states = {partition: KeptStates(partition) for partition in partitions}

    @property
    def partitions(self) -> tuple[int, ...]:
        return tuple(self.states)

    def __getitem__(self, partition: int) -> KeptStates:
        if partition not in self.states:
            raise PartitionRevoked(f"[{partition}] is not ours")
        return self.states[partition]


@dataclass
class Model:
    """Answers every row; *refuse* says which requests get an error, *alter* spoils answers."""

    refuse: Callable[[Tensors], Exception | None] = lambda _: None
    alter: Callable[[Tensors], Tensors] = lambda outputs: outputs
    requests: list[tuple[str, str, int]] = field(default_factory=list)

    async def infer(self, spec: ModelSpec, version: str, inputs: Tensors) -> Tensors:
        n_rows = len(next(iter(inputs.values())))
        self.requests.append((spec.name, version, n_rows))
        if (error := self.refuse(inputs)) is not None:
            raise error
        return self.alter(_ANSWERS[spec.name](n_rows))


def _candidates(n_rows: int) -> dict[str, Any]:
    one = np.arange(1, N_CANDIDATES + 1)
    scores = np.linspace(1, 0, N_CANDIDATES, dtype=np.float32)
    return {"candidates": np.tile(one, (n_rows, 1)), "scores": np.tile(scores, (n_rows, 1))}


def _one_a_day(n_rows: int) -> dict[str, Any]:
    by_day = np.arange(1, HORIZON_DAYS + 1, dtype=np.float32)
    one = np.repeat(by_day[:, None], len(QUANTILES), axis=1)
    return {"cumulative": np.tile(one, (n_rows, 1, 1))}


_ANSWERS: dict[str, Callable[[int], dict[str, Any]]] = {
    RECOMMENDER.name: _candidates,
    FORECASTER.name: _one_a_day,
}


def batch_of(topic: str, records: Sequence[Record], *, partition: int = 0) -> RecordBatch:
    """A record batch that remembers its own completion."""
    return RecordBatch(topic, partition, records, generation=1, epoch=1)


async def settled() -> None:
    """Let every task that can go on go on."""
    for _ in range(50):
        await asyncio.sleep(0)


def is_complete(batch: RecordBatch) -> bool:
    """Whether *batch* is complete by now."""
    return batch.completed
