"""What the pipelines need from the world; adapters and ``stream.kafka`` supply it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from numpy.typing import NDArray

from stream.kafka.records import OutRecord
from stream.model_specs import ModelSpec

Value = TypeVar("Value")
Tensors = Mapping[str, NDArray[Any]]


class Inference(Protocol):
    """Answers rows with a pinned version of a model."""

    async def infer(self, spec: ModelSpec, version: str, inputs: Tensors) -> Tensors:
        """Return the output tensors, checked against *spec*.

        Raises:
            InferenceUnavailable: No answer within retries, deadline or breaker.
            InferenceRejected: The server refuses this request.
        """


class States(Protocol[Value]):
    """The state of one partition: values by key, durable once flushed."""

    @property
    def partition(self) -> int: ...

    def get(self, key: bytes) -> Value | None:
        """Return the value of *key*, None where there is none."""

    def put(self, key: bytes, value: Value | None) -> None:
        """Store *value* under *key*; None deletes.

        Raises:
            PartitionRevoked: The partition is no longer ours.
        """

    def collect(self, records: Sequence[OutRecord]) -> None:
        """Keep *records* for the transaction that makes this state durable, exactly once.

        Raises:
            PartitionRevoked: The partition is no longer ours.
        """

    async def flush(self) -> None:
        """Return once all that was put before is confirmed in the changelog.

        Exactly once it returns at once: a transaction takes what was put.
        """


#: Records to publish, by the state whose partition's records caused them.
Effects = Mapping[States[Any], Sequence[OutRecord]]


class Publisher(Protocol):
    """Publishes what records caused."""

    async def publish(self, effects: Effects) -> None:
        """Publish *effects*; their order is kept per partition, also between calls.

        Returns when the broker has confirmed all of them; exactly once, it keeps them at the call,
        for the transaction that makes their state durable.

        Raises:
            PartitionRevoked: Exactly once, a partition is no longer ours.
            PublishFailed: At least one record was not confirmed.
        """


class OwnedStates(Protocol[Value]):
    """The partitions of a store that this worker owns now."""

    def __getitem__(self, partition: int) -> States[Value]:
        """Return the state of *partition*.

        Raises:
            PartitionRevoked: The partition is no longer ours.
        """


class Clock(Protocol):
    """Wall-clock time, for stamps on outputs only: decisions go by event time."""

    def __call__(self) -> int:
        """Return milliseconds since the Unix epoch."""
