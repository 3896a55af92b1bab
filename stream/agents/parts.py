"""What a worker is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from stream.domain.products import Product
from stream.domain.sessions import Session
from stream.health import HealthServer
from stream.kafka.notes import Note
from stream.kafka.probation import Probation
from stream.kafka.producer import BulkProducer
from stream.kafka.reader import TopicReader
from stream.kafka.store import StateStore
from stream.kafka.topic_watch import TopicWatch
from stream.kafka.transactions import Transactions
from stream.kafka.vigil import Vigil
from stream.pipeline.batcher import Batcher
from stream.pipeline.held_back import HeldBack
from stream.pipeline.quarantine import Quarantine
from stream.pipeline.recommend import RecommendPipeline
from stream.pipeline.serving import Serving
from stream.pipeline.settling import Settling
from stream.pipeline.stock import StockPipeline
from stream.pipeline.upkeep import Round
from stream.settings import Settings
from stream.telemetry import Telemetry


class Connection(Protocol):
    """Something that is opened at start and closed at stop."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a worker starts, asks and stops.

    Attributes:
        models: The connection to the model server; None where inference is off.
        serving: Finds the model versions; None where inference is off.
        transactions: Commit what records caused with their offsets; None: at least once.
        notes: What the owners before left about what is assigned.
        probation: What follows from them.
        rounds: What is done because time passes.
    """

    settings: Settings
    telemetry: Telemetry
    producer: BulkProducer
    vigil: Vigil
    topics: TopicWatch
    sessions: StateStore[Session]
    products: StateStore[Product]
    bulletin: TopicReader
    models: Connection | None
    serving: Serving | None
    recommend: RecommendPipeline
    stock: StockPipeline
    batchers: dict[str, Batcher[Any, Any]]
    settling: Settling
    transactions: Transactions | None
    notes: StateStore[Note]
    probation: Probation
    quarantine: Quarantine
    rounds: Sequence[Round[Any] | HeldBack]
    health: HealthServer | None
