"""What was decided of each model's versions, as every worker is told.

Decisions come through ``store.model-rollouts.v1``, which each worker reads whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from stream.codec import decode_rollout
from stream.domain.rollouts import Rollout
from stream.errors import InvalidInput
from stream.kafka.records import InRecord
from stream.telemetry import Telemetry
from stream.topics import MODEL_ROLLOUTS

log = structlog.get_logger(__name__)


class Rollouts:
    """The latest decision on each model.

    Args:
        are_read: Whether all that was decided before the start has been read.
    """

    def __init__(self, telemetry: Telemetry, *, are_read: Callable[[], bool]) -> None:
        self._telemetry = telemetry
        self._are_read = are_read
        self._by_model: dict[str, Rollout] = {}

    @property
    def are_known(self) -> bool:
        """Whether *no decision* means that there is none, and not that it was not read yet."""
        return self._are_read()

    def of(self, model: str) -> Rollout | None:
        """Return the decision that holds for a model; None: there is none."""
        return self._by_model.get(model)

    def apply(self, records: Sequence[InRecord]) -> None:
        """Take in *records* of the rollouts topic, oldest first; what is unreadable counts.

        The decision before it then goes on to hold: no record may take the models from a store. An
        older decision is one that was read again.
        """
        for record in records:
            try:
                rollout = decode_rollout(record, MODEL_ROLLOUTS.name, -1)
            except InvalidInput as error:
                self._reject(error)
                continue
            before = self._by_model.get(rollout.model)
            if before is None or rollout.follows(before):
                self._by_model[rollout.model] = rollout

    def _reject(self, error: InvalidInput) -> None:
        log.warning("rollout_unreadable", reason=str(error))
        self._telemetry.records_rejected.labels(MODEL_ROLLOUTS.name, type(error).__name__).inc()
