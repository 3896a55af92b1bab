"""The thread in which aiokafka runs, as Faust's driver has it but for a few things."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer
from faust.transport.drivers.aiokafka import (
    AIOKafkaConsumerThread,
    Transport,
    credentials_to_aiokafka_auth,
    server_list,
)
from faust.types import TP

from .consumer_app import BatchApp
from .ending import ended
from .epoch_consumer import EpochConsumer
from .tolerant import read_tolerantly


class BatchConsumerThread(AIOKafkaConsumerThread):  # type: ignore[misc]  # mypy skips Faust
    """Always assigns by Faust's co-partitioning assignor, fetches soon, commits all or nothing.

    And it leaves out what was never committed, whoever published it. The driver falls back to round
    robin without tables and standbys, and waits 1.5 s for a fetch.
    """

    app: BatchApp

    def _create_worker_consumer(self, transport: Transport) -> AIOKafkaConsumer:
        conf, batching = self.app.conf, self.app.batching
        self._assignor = self.app.assignor
        read_tolerantly()
        return EpochConsumer(
            epochs=lambda: self.consumer.epochs,
            vigil=self.app.vigil,
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            bootstrap_servers=server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset=conf.consumer_auto_offset_reset,
            max_poll_records=batching.max_chunk_records,
            max_poll_interval_ms=int((conf.broker_max_poll_interval or 0) * 1000),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_wait_ms=batching.fetch_wait_ms,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            check_crcs=conf.broker_check_crcs,
            isolation_level="read_committed",
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
            connections_max_idle_ms=conf.consumer_connections_max_idle_ms,
            **credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context),
        )

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Pass it on; the session of what is ours begins now, not when the app has time for it."""
        if assigned and self.app.vigil is not None:
            self.app.vigil.own()
        await super().on_partitions_assigned(assigned, generation_id)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Pass it on, which drains; nothing is ours then."""
        await super().on_partitions_revoked(revoked)
        if self.app.vigil is not None:
            self.app.vigil.let_go()

    async def on_thread_stop(self) -> None:
        """Leave the group; all is committed by now, or must not be any more.

        aiokafka does not stop while a rejoin of its own is under way. A broker answers that within
        the rebalance timeout; nobody waits for one that does not.
        """
        limit_s: float = self.app.conf.broker_rebalance_timeout
        if not await ended(super().on_thread_stop(), limit_s):
            self.log.warning("Left the group without a goodbye after %.1f s", limit_s)

    def assignment(self) -> set[TP]:
        """Return what is assigned: nothing, too, while there is no consumer yet."""
        if self._consumer is None:
            return set()
        assigned: set[TP] = super().assignment()
        return assigned

    def refusal(self) -> BaseException | None:
        """Why the group does not take this consumer in, None while it may.

        aiokafka tells it to whoever fetches, and without partitions nobody does.
        """
        if self._consumer is None or self._consumer._coordinator is None:  # noqa: SLF001
            return None
        coordinator = self._consumer._coordinator  # noqa: SLF001
        task: asyncio.Task[None] = coordinator._coordination_task  # noqa: SLF001
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            return error
        pending: BaseException | None = coordinator._pending_exception  # noqa: SLF001
        return pending

    async def getsome(self, tps: set[TP], patience_s: float, *, max_records: int) -> Any:
        """Fetch *max_records* at most, in all."""
        return await self.call_thread(
            self._fetch_records,
            self._ensure_consumer(),
            tps,
            timeout=patience_s,
            max_records=max_records,
        )

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        # The driver leaves out what is not assigned and answers True for the rest; the tracker
        # would take that as a yes for all.
        if not self.assignment().issuperset(offsets):
            return False
        confirmed: bool = await super()._commit(offsets)
        return confirmed
