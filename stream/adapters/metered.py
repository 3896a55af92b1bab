"""Ports that count what passes through them."""

from __future__ import annotations

from collections.abc import Sequence

from stream.errors import InferenceError
from stream.kafka.producer import Publisher
from stream.kafka.records import OutRecord
from stream.model_specs import ModelSpec
from stream.ports import Inference, Tensors
from stream.telemetry import ANSWERS, Telemetry


class MeteredInference:
    """Passes requests on to *inference*; rows, seconds and failures are counted by model."""

    def __init__(
        self, inference: Inference, telemetry: Telemetry, *, purpose: str = ANSWERS
    ) -> None:
        self._inference = inference
        self._telemetry = telemetry
        self._purpose = purpose

    async def infer(self, spec: ModelSpec, version: str, inputs: Tensors) -> Tensors:
        """Return what *inference* returns, and raise what it raises."""
        n_rows = len(next(iter(inputs.values())))
        labels = spec.name, self._purpose
        self._telemetry.rows_per_request.labels(*labels).observe(n_rows)
        with self._telemetry.inference_seconds.labels(*labels).time():
            try:
                return await self._inference.infer(spec, version, inputs)
            except InferenceError as error:
                reason = type(error).__name__
                self._telemetry.inference_failures.labels(*labels, reason).inc()
                raise


class MeteredPublisher:
    """Passes records on to *publisher*; how long it takes to confirm them is measured."""

    def __init__(self, publisher: Publisher, telemetry: Telemetry) -> None:
        self._publisher = publisher
        self._telemetry = telemetry

    async def publish(self, records: Sequence[OutRecord]) -> None:
        """Return what *publisher* returns, and raise what it raises."""
        with self._telemetry.publish_seconds.time():
            await self._publisher.publish(records)
