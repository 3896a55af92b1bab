"""What was decided of the models, as the broker keeps it: read whole, and added to."""

from __future__ import annotations

import structlog

from stream.adapters.security import client_options
from stream.codec import decode_rollout, encode
from stream.domain.rollouts import Rollout
from stream.errors import DecisionOvertaken, InvalidInput, TopicMismatch
from stream.kafka.administration import list_topics
from stream.kafka.partitioning import partition_of
from stream.kafka.producer import BulkProducer
from stream.kafka.records import InRecord, OutRecord
from stream.kafka.topic_scan import TopicScan
from stream.settings import Settings
from stream.topics import MODEL_ROLLOUTS

log = structlog.get_logger(__name__)


class Decisions:
    """The rollouts topic of a broker."""

    def __init__(self, settings: Settings) -> None:
        """Ask the broker for the topic.

        Raises:
            Misconfigured: No broker answers.
            TopicMismatch: The topic is not there.
        """
        self._settings = settings
        self._security = client_options(settings)
        found = list_topics(settings.bootstrap, [MODEL_ROLLOUTS.name], security=self._security)
        if not found:
            raise TopicMismatch(
                f"Expected {MODEL_ROLLOUTS.name} on {settings.bootstrap_servers}, got no such "
                "topic: `storestream topics create`"
            )
        self._n_partitions = found[0].partitions

    async def all(self) -> dict[str, Rollout]:
        """Return the decision that holds for each model; raises ReadFailed if that is not said."""
        decided: dict[str, Rollout] = {}
        scan = TopicScan(
            self._settings.bootstrap,
            {MODEL_ROLLOUTS.name: self._n_partitions},
            client_id=f"{self._settings.client_id}-models",
            security=self._security,
        )
        async with scan:
            async for span in scan.to_ends():
                for record in span.records:
                    rollout = _readable(record, span.partition)
                    if rollout is None:
                        continue
                    before = decided.get(rollout.model)
                    if before is None or rollout.follows(before):
                        decided[rollout.model] = rollout
        return decided

    async def of(self, model: str) -> Rollout | None:
        """Return the decision that holds for *model*; None: there is none."""
        return (await self.all()).get(model)

    async def publish(self, rollout: Rollout, *, after: Rollout | None) -> None:
        """Let *rollout* hold from now on.

        Raises:
            DecisionOvertaken: What holds now is not *after*, or was decided at the same time.
            PublishFailed: The broker did not confirm it; it may hold all the same.
        """
        _check(await self.of(rollout.model), rollout.model, expected=after)
        await self._append(rollout)
        _check(await self.of(rollout.model), rollout.model, expected=rollout)

    async def _append(self, rollout: Rollout) -> None:
        settings, key = self._settings, rollout.model.encode()
        producer = BulkProducer(
            settings.bootstrap,
            client_id=f"{settings.client_id}-models",
            idempotent=settings.idempotent,
            request_timeout_s=settings.broker_request_timeout_s,
            delivery_timeout_s=settings.delivery_timeout_s,
            security=self._security,
        )
        partition = partition_of(key, self._n_partitions)
        await producer.start()
        try:
            record = OutRecord(MODEL_ROLLOUTS.name, partition, key, encode(rollout))
            await producer.publish([record])
        finally:
            await producer.stop()


def _check(holds: Rollout | None, model: str, *, expected: Rollout | None) -> None:
    if holds != expected:
        by = "no decision" if holds is None else f"revision {holds.revision}"
        raise DecisionOvertaken(
            f"{model}: {by} holds by now, somebody else decided meanwhile: look at "
            "`storestream models list`, and decide again"
        )


def _readable(record: InRecord, partition: int) -> Rollout | None:
    try:
        return decode_rollout(record, MODEL_ROLLOUTS.name, partition)
    except InvalidInput as error:
        log.warning("rollout_unreadable", reason=str(error))
        return None
