"""The state of what is assigned, rebuilt before its first event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from faust.types import TP

from stream.adapters.security import client_options
from stream.agents.parts import Parts
from stream.errors import PartitionRevoked
from stream.kafka.recovery import recover
from stream.kafka.store import StateStore
from stream.kafka.transactions import Transactions
from stream.topics import EVENTS, STOCK_LEVELS

log = structlog.get_logger(__name__)


def own_nothing(parts: Parts) -> None:
    """Drop all state, so that no batch is folded into state that is not whole."""
    if parts.transactions is not None:
        parts.transactions.disown()
    parts.probation.forget()
    for store in (parts.sessions, parts.products, parts.notes):
        _drop(store)


async def recover_all(parts: Parts, assigned: set[TP], *, overtaken: Callable[[], bool]) -> None:
    """Return when the state of every partition in *assigned* is whole, and the shelf is read.

    Args:
        overtaken: Whether *assigned* was given back, or assigned anew, meanwhile.

    Raises:
        PartitionRevoked: It was overtaken.
        PublishFailed: Exactly once, the owners before cannot be fenced.
        RecoveryFailed: A changelog could not be read to its end.
    """
    if parts.transactions is not None:
        await _own(parts.transactions, assigned, overtaken)
    sessions, products = _numbers(assigned, EVENTS.name), _numbers(assigned, STOCK_LEVELS.name)
    await _recover(parts, parts.sessions, sessions, overtaken)
    await _recover(parts, parts.products, products, overtaken)
    await _recover(parts, parts.notes, {tp.partition for tp in assigned}, overtaken)
    await parts.bulletin.wait_ready(parts.settings.recovery_timeout_s)


async def _own(
    transactions: Transactions, assigned: set[TP], overtaken: Callable[[], bool]
) -> None:
    """Own *assigned*, but fence nobody to whom it was given meanwhile, nor keep it from them."""
    if not overtaken():
        await transactions.own(assigned)
    if overtaken():
        transactions.disown()
        raise PartitionRevoked("given back before the producers were open")


async def _recover(
    parts: Parts, store: StateStore[Any], partitions: set[int], overtaken: Callable[[], bool]
) -> None:
    _drop(store)
    for partition in sorted(partitions):
        store.open(partition)
    if not partitions:
        return
    settings = parts.settings
    report = await recover(
        store,
        partitions,
        settings.bootstrap,
        cancelled=overtaken,
        deadline_s=settings.recovery_timeout_s,
        client_id=f"{settings.client_id}-recovery",
        security=client_options(settings),
    )
    parts.telemetry.recovered_records.labels(store.changelog).inc(report.records)
    parts.telemetry.recovery_seconds.labels(store.changelog).set(report.seconds)
    log.info(
        "state_recovered",
        changelog=store.changelog,
        partitions=sorted(partitions),
        records=report.records,
        keys=report.keys,
        seconds=round(report.seconds, 3),
    )


def _drop(store: StateStore[Any]) -> None:
    for partition in store.partitions:
        store.drop(partition)


def _numbers(assigned: set[TP], topic: str) -> set[int]:
    return {tp.partition for tp in assigned if tp.topic == topic}
