"""The Faust app that the transport needs: its bounds, its settings, and those it refuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import faust
from faust.app import BootStrategy
from faust.types import AppT, TopicT
from faust.types.enums import ProcessingGuarantee
from faust.types.settings import Settings

from stream.errors import Misconfigured

from .no_tables import NoTables
from .probation import Probation
from .transactions import Transactions
from .vigil import Vigil

#: The last commit of a rebalance or a stop gets this long, after the drain.
LAST_COMMIT_S = 1.5

EpochsOf = Callable[[Iterable[str]], Awaitable[Mapping[str, int]]]

#: Faust's settings as this transport needs them; a caller may override each. Times in seconds.
#: Joins take about 5 s with these three timeouts, 30 s with Faust's own.
FAUST_OPTIONS: Mapping[str, Any] = {
    "broker_session_timeout": 10.0,
    "broker_heartbeat_interval": 3.0,
    "broker_rebalance_timeout": 10.0,
    "broker_request_timeout": 30.0,
    "broker_commit_interval": 1.0,
    "consumer_auto_offset_reset": "earliest",
    # Nothing of Faust's is read from the environment: there it has no prefix, wins over what is
    # said here, and BROKER_URL would even put another transport in the place of this one.
    "env": {},
    "stream_wait_empty": True,
    "TableManager": NoTables,
    "table_standby_replicas": 0,
    "topic_allow_declare": False,
    "topic_disable_leader": True,
    "web_enabled": False,
}


@dataclass(frozen=True, slots=True)
class Batching:
    """Bounds on what is fetched and not yet completed.

    Attributes:
        max_chunk_records: Records of one ``RecordBatch`` at most.
        max_chunks: Full chunks that one partition may have open; it is left out of the fetch above
            that. Counted in records, so that many small chunks do not stop a quiet partition.
        max_bytes_in_flight: Memory of all open batches, about; the last fetch may exceed it by one.
            Beside it aiokafka prefetches ``consumer_max_fetch_size`` of each partition.
        drain_timeout_s: How long a rebalance or a stop waits for batches already begun; with one
            heartbeat and the last commit it must fit into the rebalance timeout.
        fetch_wait_ms: How long the broker holds a fetch that finds nothing. A partition that was
            not part of it waits as long at worst.
    """

    max_chunk_records: int = 1000
    max_chunks: int = 4
    max_bytes_in_flight: int = 64 * 1024 * 1024
    drain_timeout_s: float = 5.0
    fetch_wait_ms: int = 50


async def no_epochs(_topics: Iterable[str]) -> Mapping[str, int]:
    """Say that the epochs are not known: 0 for each topic."""
    return {}


class WithoutWeb(BootStrategy):  # type: ignore[misc]  # mypy does not follow Faust
    """Starts no web server: Faust's own has no authentication and listens on every address.

    The setting does not keep it away, for ``faust worker`` turns that on unless told otherwise.
    """

    enable_web = False


class BatchApp(faust.App):  # type: ignore[misc]  # mypy does not follow Faust
    """A Faust app whose agents take ``RecordBatch``; its broker is ``storestream://host:port``.

    Attributes:
        batching: Bounds on what is in flight.
        epochs_of: Asked for the epochs of the subscribed topics before each first fetch of an
            assignment; what it raises stops the worker.
        probation: Knows what the owners before did not survive; None: nobody asks.
        transactions: Commit offsets with what the records caused; None: offsets alone, at least
            once.
        vigil: Told whether the group still knows us; None: nobody asks.
    """

    BootStrategy = WithoutWeb
    probation: Probation | None = None
    transactions: Transactions | None = None
    vigil: Vigil | None = None

    def __init__(
        self,
        id: str,  # noqa: A002  # Faust's name for it
        *,
        batching: Batching | None = None,
        epochs_of: EpochsOf = no_epochs,
        **options: Any,
    ) -> None:
        self.batching = batching or Batching()
        self.epochs_of = epochs_of
        super().__init__(id, **{**FAUST_OPTIONS, **options})

    def _create_directories(self) -> None:
        """Leave no folder behind: they are for the tables of Faust, which this app refuses."""


def refuse_unsafe(app: AppT) -> None:
    """Check the settings as Faust read them.

    Raises:
        Misconfigured: Some would lose records or hang, all of them are listed; or it is no
            ``BatchApp``.
    """
    if not isinstance(app, BatchApp):
        raise Misconfigured("The storestream:// transport needs an app made by BatchApp")
    reasons = [reason for reason, wrong in _refused(app.conf, app.batching).items() if wrong]
    if reasons:
        raise Misconfigured("; ".join(reasons))


def refuse_plain(topics: Iterable[TopicT]) -> None:
    """Check that every topic an agent reads is one of ``batch_topic``.

    Raises:
        Misconfigured: One is not, or is the changelog of a table of Faust's, which needs it
            record by record.
    """
    plain = [str(topic) for topic in topics if not getattr(topic.schema, "batches", False)]
    if plain:
        raise Misconfigured(f"Not made by batch_topic, or a table's: {', '.join(plain)}")


def _refused(conf: Settings, batching: Batching) -> dict[str, bool]:
    longest_drain_s = conf.broker_rebalance_timeout - conf.broker_heartbeat_interval - LAST_COMMIT_S
    return {
        "producer_threaded=True breaks at shutdown; leave it off": conf.producer_threaded,
        "stream_wait_empty=False stops without draining; leave it on": not conf.stream_wait_empty,
        "processing_guarantee=exactly_once is not this transport's; use at_least_once": (
            conf.processing_guarantee is not ProcessingGuarantee.AT_LEAST_ONCE
        ),
        "consumer_auto_offset_reset must be earliest, or records before the first commit are lost": (
            conf.consumer_auto_offset_reset != "earliest"
        ),
        f"drain_timeout_s={batching.drain_timeout_s} must be above 0 and at most "
        f"{longest_drain_s}, the rebalance timeout less a heartbeat and the last commit": not (
            0 < batching.drain_timeout_s <= longest_drain_s
        ),
        "max_chunk_records, max_chunks and max_bytes_in_flight must be at least 1": (
            min(batching.max_chunk_records, batching.max_chunks, batching.max_bytes_in_flight) < 1
        ),
    }
